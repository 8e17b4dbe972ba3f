"""What a tape costs the server that is on it: time, and memory."""

import gc
import math
import os
import re
import socket
import time
import tracemalloc
from contextlib import ExitStack

import pytest

from echo.lab import Tape, settle, start
from echo.lab.record import calls
from tests.lab.record.taped import NAMES, NEVER_THE_SAME, SERVERS


def echoes(sock):
    """Seconds of processor time that a few echoes take, of the client and the server together."""
    began = time.process_time()
    for _ in range(10):
        sock.send(b"hello")
        assert sock.recv(100) == b"hello"
    return time.process_time() - began


@pytest.fixture
def one_processor():
    """Client and server take turns: on two, they fight for Python's lock, and that costs more."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})  # and threads that begin from now on
    yield
    os.sched_setaffinity(0, allowed)


def cost_of_tracing(serve, idle=0):
    """How many times as much an echo takes on a tape; `idle`: so many others are there.

    The best of many short rounds counts, in which the two take turns: whatever else runs
    makes one dearer, never cheaper.  Where the best are not good enough, better ones may come.
    """
    plain, taped = math.inf, math.inf
    for _ in range(10):
        tape = Tape()
        with start(serve) as one, start(serve, tape) as other, ExitStack() as stack:
            socks = []
            for server in one, other:
                with server.hold():
                    for _ in range(idle + 1):
                        sock = socket.create_connection(server.address, timeout=5)
                        stack.enter_context(sock)
                socks.append(sock)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                echoes(sock)
            for _ in range(120):
                plain, taped = min(plain, echoes(socks[0])), min(taped, echoes(socks[1]))
        assert not tape.missed  # to count a call is cheaper than to keep it
        if taped <= 2 * plain:
            break
    return taped / plain


@pytest.mark.timing
@pytest.mark.parametrize("name", sorted({*NAMES} - NEVER_THE_SAME))
@pytest.mark.usefixtures("one_processor")
def test_tracing_costs_no_more_than_the_echo_itself(name):
    """So what is measured of a server on a tape has not become another thing by that.

    Who never sleeps takes what there is, with a tape or without.
    """
    assert cost_of_tracing(SERVERS[name]) <= 2


@pytest.mark.timing
@pytest.mark.parametrize("name", ["select_server", "poll_server", "epoll_server"])
@pytest.mark.usefixtures("one_processor")
def test_beside_a_hundred_clients_it_costs_no_more(name):
    """A wait that names them all is put into words once, and not in each turn."""
    assert cost_of_tracing(SERVERS[name], idle=100) <= 2


@pytest.mark.parametrize("name", ["select_server", "poll_server"])
def test_what_a_wait_is_asked_is_written_anew_when_it_changes(name):
    """Who comes is a client of his own, also with the descriptor of one who has left."""
    tape = Tape()
    with start(SERVERS[name], tape) as server:
        for _ in range(3):
            with server.connect() as client:
                client.send(b"x")
                assert client.recv(1) == b"x"
    asked = [re.findall(r"client \d", call.who) for call in tape if call.name in calls.WAITS]
    assert [who[0] for who in asked if who] == [f"client {number // 2}" for number in range(2, 8)]


@pytest.mark.parametrize("name", ["blocking_server", "threaded_server", "select_server"])
def test_long_run_does_not_grow_without_bound(name, monkeypatch):
    """Neither by its calls nor by its clients: a notebook's kernel lives for days."""
    monkeypatch.setattr(Tape, "MOST", 100)

    def size_after_many_clients():
        for _ in range(512):
            with socket.create_connection(server.address, timeout=5) as client:
                for _ in range(4):
                    client.send(b"hello")
                    assert client.recv(100) == b"hello"
        settle(server)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tape = Tape()
    tracemalloc.start()
    try:
        with start(SERVERS[name], tape) as server:
            before = size_after_many_clients()
            assert size_after_many_clients() - before < 32 * 1024  # bytes; 64 for each client
    finally:
        tracemalloc.stop()
    assert len(tape) == 100
    assert tape.missed > 8000
