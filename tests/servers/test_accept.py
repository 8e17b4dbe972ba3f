"""accept() and accept_all(), on listeners that do as they are told and on real ones."""

import errno
import gc
import os
import socket
import subprocess
import sys

import pytest

from echo.accept import accept, accept_all
from tests.paths import ROOT


class Listener:
    """accept() answers with one of `outcomes` after the other, then with EAGAIN."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.calls = 0

    def accept(self):
        self.count()
        outcome = self.outcomes.pop(0) if self.outcomes else BlockingIOError(errno.EAGAIN, "")
        if isinstance(outcome, OSError):
            raise outcome
        return outcome, ("127.0.0.1", 7007)

    def count(self):
        self.calls += 1
        assert self.calls < 100, "it spins"


class FullListener(Listener):
    """From the second client on, accept() says `number` until the spare has been given up."""

    def __init__(self, number, spares, *outcomes):
        super().__init__(*outcomes)
        self.number = number
        self.spares = spares

    def accept(self):
        if self.calls and self.spares():
            self.count()
            raise OSError(self.number, os.strerror(self.number))
        return super().accept()


def on_null():
    """How many descriptors of this process are open on /dev/null."""
    paths = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
    return sum(os.path.realpath(path) == os.devnull for path in paths)


@pytest.fixture
def spares():
    """A function: how many spares there are that were not there before the test."""
    gc.collect()
    before = on_null()
    return lambda: on_null() - before


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def pair():
    """Two connected sockets: the client's, and what listener.accept() would return."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname(), timeout=5)
        ours, _ = listener.accept()
    with client, ours:
        yield client, ours


def connect(listener):
    return socket.create_connection(listener.getsockname(), timeout=5)


def test_small_answers_are_not_held_back(listener):
    """Without TCP_NODELAY the end of a long echo waits 40 ms for the client's ACK."""
    with connect(listener), accept(listener) as sock:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_accepted_socket_is_blocking(listener):
    """The blocking and the threaded server sleep in its recv()."""
    with connect(listener), accept(listener) as sock:
        assert sock.getblocking()


def test_accept_all_yields_every_waiting_client(listener):
    """One turn of the loop empties the queue, and then says so instead of sleeping."""
    listener.setblocking(False)
    clients = [connect(listener) for _ in range(3)]
    conns = [*accept_all(listener)]
    assert [conn.sock.getpeername() for conn in conns] == [sock.getsockname() for sock in clients]
    for sock in [*clients, *(conn.sock for conn in conns)]:
        sock.close()


def test_accept_all_yields_nothing_when_nobody_waits(listener):
    """A listener that was readable need not be so any more."""
    listener.setblocking(False)
    assert [*accept_all(listener)] == []


def test_accept_all_yields_connections_that_never_sleep(listener):
    """One client's recv() must not keep the others waiting."""
    listener.setblocking(False)
    with connect(listener):
        (conn,) = accept_all(listener)
        with conn.sock:
            assert not conn.sock.getblocking()
            assert conn.receive() is False


def test_client_that_left_before_we_came_is_passed_over(pair):
    """ECONNABORTED is one client's end, not the listener's."""
    _, ours = pair
    assert accept(Listener(ConnectionAbortedError(), ConnectionAbortedError(), ours)) is ours


def test_end_of_the_queue_is_left_to_the_server():
    """accept() does not know how its server waits."""
    with pytest.raises(BlockingIOError):
        accept(Listener())


def test_error_of_the_listener_itself_is_not_hidden():
    """A listener that was shut down says EINVAL for ever: who went on would spin."""
    with pytest.raises(OSError, match="Invalid"):
        accept(Listener(OSError(errno.EINVAL, os.strerror(errno.EINVAL))))


# Out of descriptors: the spare.


def test_each_listener_has_one_spare(listener, spares):
    """Two servers in one process do not take each other's; a hundred clients need no more."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        for door in (listener, listener, other, other):
            with connect(door), accept(door):
                pass
        assert spares() == 2


def test_spare_is_given_back_with_the_listener(pair, spares):
    """A notebook starts servers by the dozen in one process."""
    _, ours = pair
    listener = Listener(ours)
    accept(listener)
    assert spares() == 1
    del listener
    gc.collect()
    assert spares() == 0


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE], ids=["EMFILE", "ENFILE"])
def test_full_process_finds_the_queue_empty(number, pair, spares):
    """accept() asks for a descriptor before it looks who waits: it complains of an empty queue."""
    _, ours = pair
    listener = FullListener(number, spares, ours)
    accept(listener)
    with pytest.raises(BlockingIOError):
        accept(listener)
    assert listener.calls == 3  # the client, EMFILE, EAGAIN


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE], ids=["EMFILE", "ENFILE"])
def test_client_gets_in_by_the_spare(number, pair, spares):
    """If there is a descriptor to be had in the spare's place, nobody need be turned away."""
    _, ours = pair
    with socket.socket() as first:
        listener = FullListener(number, spares, first, ours)
        accept(listener)
        assert accept(listener) is ours
        assert spares() == 1


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE], ids=["EMFILE", "ENFILE"])
def test_client_is_turned_away_when_there_is_no_other_spare(number, pair, spares, monkeypatch):
    """It learns at once that it is not served, and the queue is empty again."""
    client, ours = pair
    with socket.socket() as first:
        listener = FullListener(number, spares, first, ours)
        accept(listener)
        monkeypatch.setattr(os, "open", refuse)
        with pytest.raises(BlockingIOError):
            accept(listener)
    assert client.recv(1) == b""


def refuse(*_):
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


# Out of descriptors: a process with room for three, to which one client after the other comes.
# It says which of them were let in; before the fifth comes, one of them leaves.

CROWD = """
import os, resource, select, socket, sys, threading
from echo.accept import accept

def serve():
    while True:
        try:
            sock = accept(listener)
        except BlockingIOError:
            select.select([listener], [], [])
        else:
            accepted.append(sock)
            sock.send(b"in")

def comes(client):
    client.settimeout(10)
    client.connect(listener.getsockname())
    return client.recv(2).decode() or "out"

accepted = []
clients = [socket.socket() for _ in range(6)]
listener = socket.create_server(("127.0.0.1", 0))
listener.setblocking(sys.argv[1] == "blocking")
free = os.dup(0)  # before the thread sleeps in accept(): that reserves one
os.close(free)
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (free + 3, hard))
threading.Thread(target=serve, daemon=True).start()
print(*map(comes, clients[:4]))
accepted.pop().close()
print(*map(comes, clients[4:]))
"""


@pytest.fixture(scope="module", params=["blocking", "non-blocking"])
def crowd(request):
    """What the process says: one line before, one after somebody has left."""
    done = subprocess.run(
        [sys.executable, "-c", CROWD, request.param],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_those_for_whom_there_is_room_are_let_in(crowd):
    """Two and the spare: that is all that the limit allows."""
    assert crowd[0].split()[:2] == ["in", "in"]


def test_those_for_whom_there_is_no_room_are_turned_away(crowd):
    """Left in the queue they would wait for ever, and keep the listener readable."""
    assert crowd[0].split()[2:] == ["out", "out"]


def test_somebody_is_let_in_when_somebody_has_left(crowd):
    """EMFILE is no end: the spare is there again too."""
    assert crowd[1].split() == ["in", "out"]
