"""The check of an exercise: a loop that another thread can wake.

    check_waking(WakingLoop)

A loop of this kind sleeps in epoll until a descriptor is ready, and it has a method
call_from_thread(function), which any thread may call: the loop's own thread then calls the
function.
"""

import contextlib
import functools
import os
import select
import threading
import time
from collections.abc import Callable
from typing import Any

from echo.lab.conformance import is_stub
from echo.lab.display import say
from echo.lab.exercises.moments import held_at_read
from echo.lab.kernel.sleep import times_slept
from echo.lab.kernel.where import where_is
from echo.lab.run.rest import until

SOON_ENOUGH = 2.0  # seconds in which a loop that has been woken has made the call
THREADS, CALLS_EACH = 4, 250
STILL = 0.2  # seconds in which a loop with nothing to do must not wake up


class Enough(BaseException):
    """Ends the loop of a learner from within."""


def check_waking(make: Any) -> None:
    """Judge a class of loops: WakingLoop() with run() and call_from_thread(function)."""
    if is_stub(getattr(make, "call_from_thread", None)):
        say("open", "Not attempted yet: replace the ... in call_from_thread().")
        return
    try:
        loop = make()
    except Exception as error:
        say("wrong", f"FAIL  is made\n\n      {type(error).__name__}: {error}")
        return
    crash: list[BaseException] = []
    thread = threading.Thread(target=run, args=(loop, crash), daemon=True)
    thread.start()
    try:
        fault = next(filter(None, (trial(loop, thread, crash) for trial in DEMANDS)), "")
    finally:
        end(loop, thread)
    if fault:
        say("wrong", fault)
    else:
        say("right", f"\nRight: {len(DEMANDS)} of {len(DEMANDS)}.")


def run(loop: Any, crash: list[BaseException]) -> None:
    try:
        loop.run()
    except Enough:
        pass
    except Exception as error:
        crash.append(error)


Demand = Callable[[Any, threading.Thread, list[BaseException]], str]


def rests_at_first(loop: Any, thread: threading.Thread, crash: list[BaseException]) -> str:
    return rests(thread, crash, "sleeps while there is nothing to do")


def wakes(loop: Any, thread: threading.Thread, crash: list[BaseException]) -> str:
    name = "wakes up and makes the call"
    called: list[threading.Thread] = []
    if fault := raised(loop, lambda: called.append(threading.current_thread())):
        return failed(name, fault)
    with contextlib.suppress(TimeoutError):
        until(lambda: called or crash, SOON_ENOUGH)
    if crash:
        return failed(name, f"run() has ended: {type(crash[0]).__name__}: {crash[0]}")
    if not called:
        return failed(name, f"nobody has woken it: the loop is still {where_is(thread)}")
    if called[0] is not thread:
        return failed(name, "the function ran in the thread that asked for it, not in the loop's")
    return passed(name)


def in_between(loop: Any, thread: threading.Thread, crash: list[BaseException]) -> str:
    """One call wakes it; a second one is asked for just before or after it reads what woke it."""
    name = "makes a call that is asked for while it wakes up"
    for before in (True, False):
        if fault := second_call(loop, thread, crash, before):
            return failed(name, fault)
    return passed(name)


def second_call(
    loop: Any, thread: threading.Thread, crash: list[BaseException], before: bool
) -> str:
    called: list[str] = []
    faults: list[str] = []

    def ask() -> None:
        faults.append(raised(loop, lambda: called.append("called")))

    with held_at_read(thread, ask, before) as moment:
        ask()
        with contextlib.suppress(TimeoutError):
            until(lambda: crash or any(faults) or len(called) > moment.came, SOON_ENOUGH)
        with contextlib.suppress(TimeoutError):
            until(lambda: crash or any(faults) or asleep_in_epoll(thread), SOON_ENOUGH)
    if crash:
        return f"run() has ended: {type(crash[0]).__name__}: {crash[0]}"
    if any(faults):
        return next(filter(None, faults))
    if moment.came and len(called) != 2:
        when = "just before" if before else "just after"
        return (
            f"another thread asked for a second call {when} the loop read what had woken it; "
            f"{len(called)} of the 2 calls {'was' if len(called) == 1 else 'were'} made, and "
            f"the loop is {where_is(thread)}"
        )
    return ""


def asleep_in_epoll(thread: threading.Thread) -> bool:
    return where_is(thread) == "asleep in epoll_wait"


def all_of_them(loop: Any, thread: threading.Thread, crash: list[BaseException]) -> str:
    name = f"makes {THREADS * CALLS_EACH} calls from {THREADS} threads, each once"
    called: list[int] = []
    faults: list[str] = []

    def ask(first: int) -> None:
        for number in range(first, first + CALLS_EACH):
            if fault := raised(loop, functools.partial(called.append, number)):
                faults.append(fault)
                return

    askers = [threading.Thread(target=ask, args=(CALLS_EACH * place,)) for place in range(THREADS)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(SOON_ENOUGH)
    with contextlib.suppress(TimeoutError):
        until(lambda: len(called) >= THREADS * CALLS_EACH or faults or crash, SOON_ENOUGH)
    if faults or crash:
        said = faults[0] if faults else f"run() has ended: {type(crash[0]).__name__}: {crash[0]}"
        return failed(name, said)
    if sorted(called) != [*range(THREADS * CALLS_EACH)]:
        twice = len(called) != len(set(called))
        return failed(name, "some functions ran twice" if twice else "some functions never ran")
    return passed(name)


def sleeps_after_one(loop: Any, thread: threading.Thread, crash: list[BaseException]) -> str:
    return rests(thread, crash, "sleeps again")


def sleeps_after_all(loop: Any, thread: threading.Thread, crash: list[BaseException]) -> str:
    return rests(thread, crash, "sleeps again afterwards")


DEMANDS: tuple[Demand, ...] = (
    rests_at_first,
    wakes,
    sleeps_after_one,
    in_between,
    all_of_them,
    sleeps_after_all,
)


def rests(thread: threading.Thread, crash: list[BaseException], name: str) -> str:
    """It sleeps in epoll_wait, and is not woken for a while."""
    with contextlib.suppress(TimeoutError):
        until(lambda: crash or where_is(thread) == "asleep in epoll_wait", SOON_ENOUGH)
    if crash:
        return failed(name, f"run() has ended: {type(crash[0]).__name__}: {crash[0]}")
    if (where := where_is(thread)) != "asleep in epoll_wait":
        hint = "; is what woke it ever read?" if where == "running" else ""
        return failed(name, f"the loop is {where}{hint}")
    tid = thread.native_id or 0
    for _ in range(3):  # a signal that stops this process wakes all of its threads
        before = times_slept(tid)
        time.sleep(STILL)
        if (woken := times_slept(tid) - before) <= 1:
            return passed(name)
    return failed(name, f"the loop woke up {'more than once' if woken else ''} for no reason")


def raised(loop: Any, function: Callable[[], object]) -> str:
    """What call_from_thread() raised; "" if nothing."""
    try:
        loop.call_from_thread(function)
    except Exception as error:
        return f"call_from_thread() raises {type(error).__name__}: {error}"
    return ""


def passed(name: str) -> str:
    print(f"pass  {name}")
    return ""


def failed(name: str, why: str) -> str:
    return f"FAIL  {name}\n\n      {why}"


def end(loop: Any, thread: threading.Thread) -> None:
    """Make its own epoll instance report a descriptor of ours, whose callback ends run()."""

    def stop(*_: object) -> None:
        raise Enough

    bell = os.eventfd(1)
    try:
        with contextlib.suppress(OSError, AttributeError, TypeError, ValueError):
            loop.callbacks[bell] = stop
            loop.poller.register(bell, select.EPOLLIN)
        thread.join(SOON_ENOUGH)
    finally:
        os.close(bell)
        with contextlib.suppress(OSError, AttributeError):
            loop.poller.close()
