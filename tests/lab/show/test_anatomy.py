"""What anatomy() and timeout_of() say of servers whose insides are known."""

import os
import select
import socket
import subprocess
import sys
import threading

import pytest

from echo import (
    coroutine_server,
    epoll_edge_server,
    epoll_server,
    poll_server,
    select_server,
    threaded_server,
)
from echo.lab import anatomy, asyncio_loop, start, timeout_of, until
from echo.lab.kernel.anatomy import Entry, Parts, kind_of, parts_of, wait_timeout
from echo.lab.kernel.sleep import Sleep
from echo.lab.run.process import Process
from echo.lab.show.anatomy import Anatomies, Anatomy, at_least
from tests.lab.processes import PYTHON

IN = Entry("listener", "IN"), Entry("client", "IN")
INSIDE = {
    epoll_server: Parts("epoll_wait", {}, {"listener": 1, "client": 1, "epoll": 1}, IN),
    coroutine_server: Parts("epoll_wait", {}, {"listener": 1, "client": 1, "epoll": 1}, IN),
    epoll_edge_server: Parts(
        *("epoll_wait", {}, {"listener": 1, "client": 1, "epoll": 1}),
        (Entry("listener", "IN|ET"), Entry("client", "IN|OUT|ET")),
    ),
    threaded_server: Parts("accept4", {"recvfrom": 1}, {"listener": 1, "client": 1}, ()),
    select_server: Parts("pselect6", {}, {"listener": 1, "client": 1}, ()),
    poll_server: Parts("poll", {}, {"listener": 1, "client": 1}, ()),
}
TEXT = """\
1 thread, asleep in epoll_wait

it holds  how many  watched for
--------  --------  -----------
listener  1         IN
client    1         IN
epoll     1         -"""


def name_of(module):
    return module.__name__.rpartition(".")[2].removesuffix("_server")


@pytest.mark.parametrize("module", INSIDE, ids=name_of)
def test_a_server_of_ours_in_a_thread(module):
    """Its own threads and descriptors, and none of the many that this process has besides."""
    with start(module.serve) as server, server.connect():
        assert anatomy(server).parts == INSIDE[module]


@pytest.mark.timing
@pytest.mark.parametrize("module", INSIDE, ids=name_of)
def test_the_same_as_a_process(module):
    process = Process(f"{PYTHON} -m echo {name_of(module)} {{port}}")
    try:
        with socket.create_connection(process.address, timeout=5):
            process.settle(patience=30)  # Python begins slowly on a busy machine
            assert anatomy(process).parts == INSIDE[module]
            assert anatomy(process.pid).parts == INSIDE[module]
    finally:
        process.end()


def test_several_servers_do_not_get_mixed_up():
    with start(epoll_server.serve) as one, start(epoll_edge_server.serve) as two:
        one.client, two.client = one.connect(), two.connect()
        table = anatomy(one=one, two=two)
        assert table.row("one") == INSIDE[epoll_server]
        assert table.row("two") == INSIDE[epoll_edge_server]
        one.client.close()
        two.client.close()


def test_the_text_and_the_table_say_the_same():
    with start(epoll_server.serve) as server, server.connect():
        shown = anatomy(server)
    assert isinstance(shown, Anatomy)
    assert str(shown) == TEXT
    for word in TEXT.replace("-", " ").split():
        assert word in shown.markup


def test_a_loop_that_serves_nobody():
    with asyncio_loop() as loop:
        parts = anatomy(loop).parts
    assert parts == Parts(
        *("epoll_wait", {}, {"epoll": 1, "socket pair": 1}), (Entry("socket pair", "IN"),)
    )


HOLDS = """
import os, select, socket, sys, threading
poller = select.epoll()
kept = [os.eventfd(0), *os.pipe(), *(one for one in socket.socketpair())]
poller.register(kept[0], select.EPOLLIN | select.EPOLLONESHOT)
poller.register(kept[1], select.EPOLLIN | select.EPOLLET)
for _ in range(5):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
print("ready", flush=True)
poller.poll()
"""


def test_every_kind_of_descriptor_of_a_process():
    child = subprocess.Popen([sys.executable, "-c", HOLDS], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "ready\n"
        parts = until(lambda: asleep_in_epoll(child.pid))
        assert parts.others == {"futex": 5}
        assert parts.holds == {"epoll": 1, "socket pair": 2, "pipe": 3, "eventfd": 1}
        assert parts.entries == (Entry("pipe", "IN|ET"), Entry("eventfd", "IN|ONESHOT"))
        first = str(anatomy(child.pid)).splitlines()[0]
        assert first == "more than 3 threads: 1 asleep in epoll_wait; several asleep in futex"
    finally:
        child.kill()
        child.communicate()
    with pytest.raises(ProcessLookupError, match="has ended"):
        anatomy(child.pid)


def asleep_in_epoll(pid):
    parts = parts_of([pid])
    return parts if parts.serves == "epoll_wait" and "running" not in parts.others else None


def test_what_is_no_server_is_refused():
    with pytest.raises(TypeError, match="a server or the number of a process, not 'epoll'"):
        anatomy("epoll")


def test_files_are_left_out():
    assert kind_of("/dev/null", {}) == ""
    assert kind_of("socket:[1]", {}) == ""
    assert kind_of("socket:[1]", {"1": "client"}) == "client"
    assert kind_of("anon_inode:[eventpoll]", {}) == "epoll"
    assert kind_of("anon_inode:inotify", {}) == ""


@pytest.mark.parametrize(
    ("count", "said"),
    [(1, "1"), (3, "3"), (4, "more than 3"), (9, "more than 3"), (10, "more than 9")],
)
def test_threads_are_counted_as_far_as_machines_agree(count, said):
    assert at_least(count) == said


def test_a_table_can_have_a_line_above_it():
    table = Anatomies({}, "recorded: elsewhere\n")
    assert str(table).startswith("recorded: elsewhere\nserver")
    assert table.markup.startswith("recorded: elsewhere\n")


# -- timeouts --


class TestTimeout:
    @pytest.mark.parametrize(
        ("wait", "given"),
        [
            (lambda: select.epoll().poll(), -1),
            (lambda: select.epoll().poll(30), 30_000),
            (lambda: select.poll().poll(20_000), 20_000),
            (lambda: select.select([], [], [], 30), None),
        ],
        ids=["epoll", "epoll with a limit", "poll", "select"],
    )
    def test_of_a_thread(self, wait, given):
        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        until(lambda: timeout_of(thread) == given)

    def test_of_a_server(self):
        with start(epoll_server.serve) as server:
            assert timeout_of(server) == -1

    def test_of_a_loop_with_a_timer(self):
        with asyncio_loop() as loop:
            assert timeout_of(loop) == -1
            loop.call_soon_threadsafe(loop.loop.call_later, 3600, print)
            until(lambda: (timeout_of(loop) or -1) > 0)
            assert 3_500_000 < timeout_of(loop) <= 3_600_001

    @pytest.mark.parametrize(
        ("register", "given"),
        [(0xFFFFFFFF, -1), (2**64 - 1, -1), (5000, 5000), (0x7FFD_1234_5678, None)],
        ids=["-1", "-1, wide", "5000", "an address"],
    )
    def test_of_a_register(self, register, given):
        """The upper half is anybody's guess, and epoll_pwait2() has an address there."""
        assert wait_timeout(Sleep("epoll_wait", (0, 0, 0, register, 0, 0), ())) == given

    def test_of_one_that_runs(self):
        assert wait_timeout(None) is None


def test_the_process_of_this_test_can_be_looked_at():
    assert anatomy(os.getpid()).parts.threads >= 1
