"""where_is() and watch(): in which system call a thread sleeps, as the kernel tells it."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from functools import partial

import pytest

from echo import blocking_server, nonblocking_server, select_server, threaded_server
from echo.lab import start, watch, where_is
from echo.lab.kernel import sleep
from tests.lab.bench import SERVERS, eventually, not_told, run_python

pytestmark = pytest.mark.usefixtures("nothing_is_left")


@pytest.mark.timing
@pytest.mark.parametrize(
    ("serve", "alone", "with_client"),
    [
        (blocking_server.serve, "asleep in accept4", "asleep in recvfrom, waiting for client 1"),
        (select_server.serve, "asleep in pselect6", "asleep in pselect6"),
        (SERVERS["poll"], "asleep in poll", "asleep in poll"),
        (SERVERS["epoll"], "asleep in epoll_wait", "asleep in epoll_wait"),
        (SERVERS["sigio"], "asleep in rt_sigtimedwait", "asleep in rt_sigtimedwait"),
        (
            threaded_server.serve,
            "asleep in accept4",
            "asleep in accept4; asleep in recvfrom, waiting for client 1",
        ),
        (nonblocking_server.serve, "running", "running"),
    ],
    ids=["blocking", "select", "poll", "epoll", "sigio", "threaded", "nonblocking"],
)
def test_where_is_names_the_call_in_which_a_server_sleeps(serve, alone, with_client):
    """Twenty times of twenty, on a busy machine too: a lesson stores what it says."""
    with start(serve) as server:
        assert {where_is(server) for _ in range(10)} == {alone}
        with server.connect():
            assert {where_is(server) for _ in range(10)} == {with_client}
    assert where_is(server) == "ended"


# Who changes his user keeps what /proc has of him closed to himself (proc(5), PR_SET_DUMPABLE),
# until he says that it need not be, or runs another program.
OTHER_USER = """
import ctypes, os, sys
from echo import epoll_server
from echo.lab import start, where_is

def looks():
    with start(epoll_server.serve) as server, server.connect() as client:
        client.send(b"hello")
        assert client.recv(100) == b"hello"
        return {where_is(server) for _ in range(20)}

looks()  # imports what the other user may not be allowed to read
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
if sys.argv[1] == "readable":
    ctypes.CDLL(None).prctl(4, 1)
print(*looks(), sep="\\n")
"""
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root may become another user")


@as_root
@pytest.mark.timing
def test_where_is_needs_no_root():
    """A thread's own process may look; that is all that it takes."""
    assert run_python(OTHER_USER, "readable") == "asleep in epoll_wait\n"


@as_root
def test_where_is_says_in_one_sentence_that_it_may_not_look():
    """Not a traceback: the lesson goes on, and so does the server."""
    said = run_python(OTHER_USER, "closed")
    assert said == f"running or asleep: {sleep.NotTold.__doc__}\n"


def test_where_is_says_when_the_kernel_does_not_tell(monkeypatch):
    """A sandbox may hide /proc; a lesson goes on."""
    monkeypatch.setattr(sleep, "sleeping", not_told)
    with start(select_server.serve) as server:
        assert where_is(server).startswith("running or asleep: This kernel does not name")


def test_where_is_counts_threads_that_do_the_same():
    """Two hundred names would not be read."""
    with start(threaded_server.serve) as server:
        clients = [server.connect() for _ in range(3)]
        assert where_is(server) == "asleep in accept4; asleep in recvfrom, waiting for 3 clients"
        for client in clients:
            client.close()


def test_where_is_looks_at_any_thread():
    """One that computes, one that waits for a lock, one that has ended."""
    over = threading.Event()
    for body, doing in (over.wait, "asleep in futex"), (partial(spin, over), "running"):
        thread = threading.Thread(target=body)
        thread.start()
        try:
            assert where_is(thread) == doing
        finally:
            over.set()
            thread.join()
        assert where_is(thread) == "ended"
        over.clear()


@pytest.mark.timing
def test_watch_tells_the_states_that_last_in_order():
    """A wait that is over at once is not one that a learner could see."""
    with start(blocking_server.serve, buffer=16 * 1024) as server, server.connect() as client:
        receiving, sending = (f"asleep in {call}, waiting for client 1" for call in WAITS_FOR_ONE)

        def stall():
            client.send(b"x")
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    client.send(bytes(100_000))
            time.sleep(0.1)

        def read():
            count = 1
            while count:
                with contextlib.suppress(BlockingIOError):
                    count = len(client.recv(1 << 20))
                if where_is(server) == receiving:
                    break

        assert watch(server, lambda: None) == [receiving]
        assert watch(server, stall) == [receiving, sending]
        assert watch(server, read) == [sending, receiving]


WAITS_FOR_ONE = "recvfrom", "sendto"


def spin(over):
    while not over.is_set():
        pass


WAITS = """
import socket
listener = socket.create_server(("127.0.0.1", 0))
print("ready", flush=True)
listener.accept()
"""


def test_where_is_looks_at_a_process_of_ours():
    """Another program's thread sleeps in the same calls."""
    command = [sys.executable, "-c", WAITS]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"ready\n"
        try:
            assert eventually(lambda: where_is(child.pid) == "asleep in accept4")
        finally:
            child.kill()
        assert eventually(lambda: where_is(child.pid) == "ended")
