"""asyncio_loop(): a loop beside the notebook's own, which ends with its block."""

import asyncio
import gc
import threading
import time

import pytest

from echo.lab import asyncio_loop, wake_ups, where_is


@pytest.fixture(autouse=True)
def no_thread_stays():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


async def says(word, pause=0.0):
    await asyncio.sleep(pause)
    return word


def test_runs_coroutines_side_by_side():
    with asyncio_loop() as loop:
        assert loop.run(says("one")) == "one"
        assert loop.run(says("one", 0.01), says("two")) == ["one", "two"]


def test_an_error_comes_out():
    async def fails():
        raise ValueError("no")

    with asyncio_loop() as loop, pytest.raises(ValueError, match="no"):
        loop.run(fails())


def test_begin_does_not_wait():
    with asyncio_loop() as loop:
        began = loop.begin(says("late", 0.05))
        assert not began.done()
        assert began.result(5) == ["late"]


@pytest.mark.timing
def test_sleeps_until_its_nearest_timer():
    async def set_timers():
        for hours in 3, 1, 2:
            asyncio.get_running_loop().call_later(3600 * hours, print)

    with asyncio_loop() as loop:
        loop.run(set_timers())
        assert [round(seconds / 3600) for seconds in loop.timers()] == [1, 3, 2]
        assert where_is(loop.thread) == "asleep in epoll_wait"
        assert wake_ups(loop, 0.2) == 0
        assert loop.cpu() < 5


def test_a_loop_that_is_busy_says_so():
    with asyncio_loop() as loop:
        loop.call_soon_threadsafe(time.sleep, 0.3)
        while where_is(loop.thread) == "asleep in epoll_wait":
            time.sleep(0.001)
        with pytest.raises(TimeoutError, match=r"still busy after 0.05 seconds"):
            loop.settle(0.05)


def test_tasks_that_have_not_ended_are_cancelled(capfd):
    heard = []

    async def stays():
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            heard.append("cancelled")
            raise

    with asyncio_loop() as loop:
        loop.begin(stays())
        loop.run(says("one", 0.01))
    assert heard == ["cancelled"]
    assert loop.loop.is_closed()
    gc.collect()
    assert capfd.readouterr().err == ""
