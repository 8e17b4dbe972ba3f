"""settle() waits until a server has reacted; what it costs meanwhile is counted."""

import contextlib
import socket
import time
from functools import partial

import pytest

from echo import blocking_server, nonblocking_server, select_server, threaded_server
from echo.lab import settle, start
from echo.lab.kernel import sleep, sockets
from echo.lab.zoo import Change, derive
from tests.lab.bench import eventually, every_server, in_less_than, not_told, returns


def dawdles(listener, pause):
    """Takes a while before it answers, and then says that it has."""
    sock, _ = listener.accept()
    with sock:
        while data := sock.recv(100):
            pause()
            sock.sendall(data.upper())
    while True:
        listener.accept()


def computes_a_while():
    until = time.monotonic() + 0.05
    while time.monotonic() < until:
        pass


@pytest.mark.timing
@pytest.mark.parametrize("pause", [partial(time.sleep, 0.05), computes_a_while])
def test_client_goes_on_when_the_server_has_reacted(pause):
    """So the next line of a lesson finds the same state each time."""
    with start(partial(dawdles, pause=pause)) as server, server.connect() as client:
        client.setblocking(False)
        for _ in range(5):
            client.send(b"x")
            assert client.recv(1) == b"X"


@pytest.mark.timing
def test_settle_waits_for_threads_that_are_being_born():
    """The one that accepts sleeps again before its child has run."""
    with start(threaded_server.serve) as server:
        for number in range(1, 21):
            with socket.create_connection(server.address) as client:
                client.setblocking(False)
                settle(server)
                client.send(b"x")
                settle(server)
                assert client.recv(1) == b"x"
                assert server.arrived == number
            settle(server)
            assert len(server.threads) == 1


@every_server
def test_settle_waits_for_plain_sockets_too(serve):
    """A client that was not made by connect() waits for nothing by itself."""
    with start(serve) as server, socket.create_connection(server.address) as client:
        client.setblocking(False)
        settle(server)
        client.send(b"x")
        settle(server)
        assert client.recv(1) == b"x"


def test_settle_does_not_wait_for_a_server_that_spins():
    """It takes in all that comes, and would still be busy tomorrow."""
    change = Change("select_server", "writing, [])", "writing, [], 0)")
    serve = derive("spins", "select_server", (change,)).serve
    with start(serve) as server, server.connect() as client:
        client.send(b"x")
        settle(server, 60)
        assert sockets.unread([client]) == [1]


def test_settle_says_who_is_still_busy(hurried):
    """A server that spins without a client is never at rest."""

    def computes(listener):
        while True:
            sum(range(100))

    server = start(computes)
    with pytest.raises(TimeoutError) as error:
        settle(server, 0.05)
    assert str(error.value) == f"the {server.name} server is still busy after 0.05 seconds"
    server.stop()


def test_settle_returns_when_the_server_has_ended():
    """However it ended, it does nothing any more."""
    server = start(returns)
    with in_less_than(1):
        settle(server)
    assert server.end()


@every_server
def test_settle_where_the_kernel_does_not_tell(serve, monkeypatch):
    """Then it goes by what the sockets hold: slower, and nearly as good."""
    monkeypatch.setattr(sleep, "sleeping", not_told)
    with start(serve) as server, server.connect() as client:
        client.setblocking(False)
        client.send(b"x")
        assert client.recv(1) == b"x"


@pytest.mark.parametrize("size", [1, 4 << 20])
def test_server_that_cannot_send_is_at_rest(size):
    """It waits for its client to read: that is a reaction too."""
    for serve in (blocking_server.serve, select_server.serve):
        with start(serve, buffer=8192) as server, server.connect() as client:
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.send(bytes(size))
            with in_less_than(2):
                settle(server)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1] + [0] * 7))


def test_processor_time_is_that_of_the_servers_threads():
    """A busy notebook must not make a sleeping server look as if it spun."""
    with start(select_server.serve) as asleep, start(nonblocking_server.serve) as busy:
        before = asleep.cpu(), busy.cpu()
        eventually(lambda: busy.cpu() - before[1] > 0.05)
        assert busy.cpu() - before[1] > 0.05
        assert asleep.cpu() - before[0] < 0.02


def test_times_slept_grow_only_while_something_happens():
    """Who wakes up for nothing uses too little processor time to be told by that."""
    with start(select_server.serve) as server, server.connect() as client:
        before = server.times_slept()
        client.send(b"hello")
        assert client.recv(100) == b"hello"
        after = server.times_slept()
        assert after > before
        time.sleep(0.05)
        assert server.times_slept() == after
    assert server.times_slept() == 0  # its thread has ended
