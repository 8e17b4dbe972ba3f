"""What an echo costs: system calls, which hardly move with load, and time."""

import contextlib
import os
import signal
import socket
import statistics
import time

import pytest

from echo.lab.kernel import processes
from tests.servers.command import PATIENCE, SERVERS, Server, echoed, until
from tests.strace import ON_TAPE, name_is_known, strace

ECHOES = 3000
BUSY = {  # system calls an echo that a server may make for 50 clients who all have sent
    "select": 2.3,
    "poll": 2.3,
    "epoll": 2.3,
    "epoll_edge": 3.2,  # 2.1 where the next message is there when it asks once more
    "coroutine": 2.3,
    "sigio": 3.3,  # so does this
    "io_uring": 0.2,
}
ALONE = {  # and for one
    "blocking": 2.1,
    "select": 3.2,
    "poll": 3.2,
    "epoll": 3.2,
    "epoll_edge": 5.2,  # it asks once more, in vain
    "coroutine": 3.2,
    "io_uring": 2.2,
}
SIZES = [1, 1000, 16 * 1024, 100_000, 1024 * 1024]


@contextlib.contextmanager
def stopped(server):
    """What clients do inside has happened before it looks, however busy the machine is.

    It is stopped in its sleep: who looks at everybody would otherwise have to look once more.
    """
    (traced,) = (pid for pid in processes.pids() if processes.parent_of(pid) == server.pid)
    until(lambda: processes.stat(traced)[0] == "S")  # in other calls it is "t" for strace
    os.kill(traced, signal.SIGSTOP)
    try:
        until(lambda: processes.stat(traced)[0] in "tT")
        yield
    finally:
        os.kill(traced, signal.SIGCONT)


def all_at_once(server, clients):
    """All send at once, where there are several, and then wait for their echoes: how many came."""
    message, count = bytes(64), 0
    together = contextlib.nullcontext if clients == 1 else lambda: stopped(server)
    with contextlib.ExitStack() as stack:
        with together():
            socks = [stack.enter_context(server.connect()) for _ in range(clients)]
        while count < ECHOES:
            with together():
                for sock in socks:
                    sock.send(message)
            for sock in socks:
                assert sock.recv(1000) == message  # a message that short is one segment
                count += 1
    return count


def calls_an_echo(name, clients, folder):
    program = strace()
    names = ",".join({*ON_TAPE, "io_uring_enter"} - {"close"})
    names = ",".join(one for one in names.split(",") if name_is_known(program, one))
    counted = folder / "counted"
    command = [program, "-f", "-c", "-e", f"trace={names}", "-o", str(counted)]
    with Server(name, under=command) as server:
        echoes = all_at_once(server, clients)
        os.killpg(server.pid, signal.SIGTERM)  # strace itself stays, and writes
        server.process.communicate(timeout=PATIENCE)
    lines = [line.split() for line in counted.read_text().splitlines()]
    calls = {words[-1]: int(words[3]) for words in lines if words and words[-1] in ON_TAPE}
    assert sum(calls.values()), "strace has counted nothing"
    return sum(calls.values()) / echoes


@pytest.mark.parametrize(("name", "most"), BUSY.items())
def test_system_calls_of_an_echo_beside_many(name, most, tmp_path):
    """A wait that tells of many is shared by them; nobody is asked without need."""
    assert calls_an_echo(name, 50, tmp_path) <= most


@pytest.mark.parametrize(("name", "most"), ALONE.items())
def test_system_calls_of_an_echo_alone(name, most, tmp_path):
    """A wait, a recv, a send."""
    assert calls_an_echo(name, 1, tmp_path) <= most


@pytest.mark.timing
@pytest.mark.parametrize("name", SERVERS)
def test_no_size_of_message_takes_long(name):
    """From 1 byte to 1 MiB, no timer of the kernel is in it: with one, most would take 40 ms.

    (TCP_DELACK_MIN, include/net/tcp.h.)  A busy machine makes some slow: one in four is enough.
    """
    with Server(name) as server, server.connect() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for size in SIZES:
            message, times = os.urandom(size), []
            for _ in range(21):
                began = time.perf_counter()
                assert echoed(sock, message)
                times.append(time.perf_counter() - began)
            assert statistics.quantiles(times)[0] <= 0.03, f"{size} bytes"
