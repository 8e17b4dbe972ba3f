"""What the suite does to a server: descriptors that run out, high ones, a flood."""

import contextlib
import resource
import select
import socket

import pytest

from echo import blocking_server
from echo.lab import Tape, start
from echo.lab.run.faults import Full
from tests.lab.bench import SERVERS, eventually, every_server, sloppy

FETCHED_BY_THE_KERNEL = {"io_uring"}  # no recv() of ours that could say something else


@sloppy
def test_descriptors_are_counted_for_the_server_alone():
    """The listener, two accepted sockets, an epoll instance, and nobody else's."""

    def polls(listener):
        with select.epoll() as poller:
            poller.register(listener)
            socks = []
            while True:
                poller.poll()
                socks.append(listener.accept()[0])

    other = select.epoll()
    server = start(polls)
    clients = [server.connect(), server.connect()]
    assert server.descriptors() == 4
    server.stop()
    assert server.descriptors() == 0
    for thing in [other, *clients]:
        thing.close()


@every_server
def test_accept_can_be_made_to_run_out_of_descriptors(serve):
    """Without lowering the limit of the notebook's own kernel: a client is turned away."""
    with start(serve) as server, server.connect() as first:
        first.send(b"x")
        server.run_out_of_descriptors()
        with contextlib.ExitStack() as stack:
            if serve is not blocking_server.serve:  # it does not come back to accept()
                late = stack.enter_context(server.connect())
                late.setblocking(False)
                with contextlib.suppress(BlockingIOError, ConnectionResetError):
                    assert late.recv(1) in (b"", b"x")
            assert first.recv(1) == b"x"
            first.send(b"y")
            assert first.recv(1) == b"y"


@pytest.mark.timing
def test_descriptors_run_out_until_one_is_closed():
    """A persistent EMFILE would kill good servers, an alternating one pass spinning ones."""
    said = []

    def asks(listener):
        sock, _ = listener.accept()
        for step in range(4):
            sock.recv(1)
            if step == 2:
                spare.close()
            try:
                listener.accept()[0].close()
                said.append("in")
            except OSError as error:
                said.append(error.strerror)
        sock.recv(1)
        sock.close()

    spare = socket.socket()
    with start(asks) as server, server.connect() as first:
        server.run_out_of_descriptors()
        others = [socket.create_connection(server.address) for _ in range(4)]
        for _ in range(4):
            first.send(b"x")
        assert said == ["Too many open files"] * 2 + ["in", "Too many open files"]
        server.stop()
        for other in others:
            other.close()


def test_file_that_the_bench_has_open_for_a_moment_lets_nobody_in():
    """It reads /proc in one thread while the server is refused in another."""
    with socket.socket() as spare:
        full = Full(set())
        with open("/proc/self/stat", encoding="ascii"):
            assert not full.admits()
        assert not full.admits()
        spare.close()
        assert full.admits()


@every_server
def test_accepted_sockets_can_be_given_high_descriptors(serve):
    """select() cannot express them; above 1023 only a raised limit allows them."""
    number = min(300, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 10)
    with start(serve) as server:
        with server.number_descriptors_from(number), server.connect() as client:
            client.send(b"x")
            assert client.recv(1) == b"x"
            assert [sock.fileno() >= number for sock in server.accepted()] == [True]
        with server.connect():
            assert all(sock.fileno() < number for sock in server.accepted())


@pytest.mark.parametrize("name", [name for name in SERVERS if name not in FETCHED_BY_THE_KERNEL])
@pytest.mark.parametrize("taped", [False, True], ids=["", "taped"])
def test_flooding_client_always_has_more(name, taped, hurried):
    """A real one pauses, and then nothing can be told; afterwards all is as before."""
    with start(SERVERS[name], tape=Tape() if taped else None) as server:
        with server.flood() as flood, server.connect() as client:
            socket.socket.send(client, b"x")
            assert eventually(lambda: flood.reads > 100)
        with server.connect() as client:
            client.send(b"x")
            assert client.recv(1) == b"x"
