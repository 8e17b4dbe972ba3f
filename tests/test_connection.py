"""A Connection, told what happened; then on a socket that does as it is told."""

import itertools
import select
import sys

import pytest

from echo.connection import HIGH_WATER, READ, RECV_SIZE, WRITE, Connection

AGAIN = BlockingIOError()
RESET = ConnectionResetError()


class Socket:
    """recv() answers with one of `arriving` after the other; send() takes `room` bytes a call."""

    def __init__(self, arriving=(), room=7, trouble=None):
        self.arriving = list(arriving)
        self.room = room
        self.trouble = trouble  # what send() raises
        self.taken = b""
        self.calls = []

    def fileno(self):
        return 42

    def recv(self, size):
        self.calls.append("recv")
        outcome = self.arriving.pop(0)
        if isinstance(outcome, OSError):
            raise outcome
        assert len(outcome) <= size
        return outcome

    def send(self, data):
        self.calls.append("send")
        if self.trouble:
            raise self.trouble
        self.taken += data[: self.room]
        return min(self.room, len(data))


@pytest.fixture
def conn():
    return Connection(sock=None)


# Told what happened.


def test_new_connection_wants_to_read(conn):
    """Nobody is owed anything yet."""
    assert conn.wanted() == READ


def test_new_connection_is_waited_for_as_it_wants(conn):
    """A server that tells the kernel only of changes starts from here."""
    assert conn.interest == conn.wanted()


def test_what_was_received_is_owed(conn):
    """An echo server gives everything back."""
    conn.received(b"hello")
    assert conn.unsent == b"hello"
    assert conn.wanted() == READ | WRITE


def test_what_comes_later_is_owed_after_it(conn):
    """TCP keeps the order, so must we."""
    conn.received(b"hello ")
    conn.received(b"world")
    assert conn.unsent == b"hello world"


def test_partial_send_leaves_the_rest(conn):
    """send() may take less than it was given."""
    conn.received(b"hello")
    conn.sent(2)
    assert conn.unsent == b"llo"
    assert conn.wanted() & WRITE


def test_writing_is_not_wanted_when_nothing_is_owed(conn):
    """A socket is nearly always writable: a server that asks without need spins."""
    conn.received(b"hello")
    conn.sent(5)
    assert conn.wanted() == READ


def test_client_that_does_not_read_is_not_read_from(conn):
    """Otherwise its bytes pile up in our memory instead of slowing it down."""
    conn.received(bytes(HIGH_WATER))
    assert conn.wanted() == WRITE


def test_reading_goes_on_below_the_high_water_mark(conn):
    """Backpressure ends when its cause does."""
    conn.received(bytes(HIGH_WATER))
    conn.sent(1)
    assert conn.wanted() == READ | WRITE


def test_half_closed_client_gets_what_it_is_owed(conn):
    """It has finished sending; it may still be reading."""
    conn.received(b"hello")
    conn.received(b"")
    assert conn.wanted() == WRITE
    conn.sent(4)
    assert conn.wanted() == WRITE


def test_half_closed_client_is_done_when_nothing_is_owed(conn):
    """Neither of us has anything more to say."""
    conn.received(b"hello")
    conn.received(b"")
    conn.sent(5)
    assert conn.wanted() == 0


def test_silent_client_that_leaves_is_done(conn):
    """b"" may be the first thing that recv() says."""
    conn.received(b"")
    assert conn.wanted() == 0


def test_lost_client_is_done(conn):
    """What it is owed can no longer be given."""
    conn.received(b"hello")
    conn.lost()
    assert conn.unsent == b""
    assert conn.wanted() == 0


# On a socket.


def test_descriptor_is_that_of_the_socket():
    """Servers wait for it, and keep their connections by it."""
    assert Connection(Socket()).fileno() == 42


def test_receive_owes_what_arrived():
    """One recv(), and True: there was something."""
    conn = Connection(Socket(arriving=[b"hello"]))
    assert conn.receive() is True
    assert conn.unsent == b"hello"


@pytest.mark.parametrize(
    "outcome", [b"hello", b"", AGAIN, RESET], ids=["data", "eof", "again", "reset"]
)
def test_receive_is_one_system_call(outcome):
    """A second recv() would let one client starve the others."""
    sock = Socket(arriving=[outcome])
    Connection(sock).receive()
    assert sock.calls == ["recv"]


@pytest.mark.parametrize("trouble", [None, AGAIN, RESET], ids=["taken", "again", "reset"])
def test_send_is_one_system_call(trouble):
    """What did not fit waits for the next turn, and says so in wanted()."""
    sock = Socket(trouble=trouble)
    conn = Connection(sock)
    conn.received(bytes(100))
    conn.send()
    assert sock.calls == ["send"]


def test_receive_takes_as_much_as_it_may():
    """A small recv() costs a turn of the loop for every crumb."""
    conn = Connection(Socket(arriving=[bytes(RECV_SIZE)]))
    conn.receive()
    assert len(conn.unsent) == RECV_SIZE


def test_receive_says_when_nothing_had_arrived():
    """Readiness is only a hint: EAGAIN is neither an error nor the end."""
    conn = Connection(Socket(arriving=[AGAIN]))
    conn.received(b"hello")
    assert conn.receive() is False
    assert conn.unsent == b"hello"
    assert conn.wanted() == READ | WRITE


def test_send_says_when_nothing_fitted():
    """EAGAIN on send() costs no byte."""
    conn = Connection(Socket(trouble=AGAIN))
    conn.received(b"hello")
    assert conn.send() is False
    assert conn.unsent == b"hello"
    assert conn.wanted() == READ | WRITE


def test_end_of_file_is_not_a_reset():
    """recv() said b"": what is owed is still sent."""
    conn = Connection(Socket(arriving=[b"hello", b""]))
    assert [conn.receive(), conn.receive()] == [True, True]
    assert conn.unsent == b"hello"
    assert conn.wanted() == WRITE


def test_reset_while_receiving_ends_this_client():
    """The error does not leave the connection: the server and the others go on."""
    conn = Connection(Socket(arriving=[RESET]))
    conn.received(b"hello")
    conn.receive()
    assert conn.wanted() == 0


@pytest.mark.parametrize("trouble", [RESET, BrokenPipeError()], ids=["reset", "pipe"])
def test_reset_while_sending_ends_this_client(trouble):
    """The first send() after a reset says ECONNRESET, the next ones EPIPE."""
    conn = Connection(Socket(trouble=trouble))
    conn.received(b"hello")
    conn.send()
    assert conn.wanted() == 0


def test_socket_that_takes_seven_bytes_at_a_time_gets_every_byte_once():
    """On loopback sends are hardly ever partial; elsewhere they are."""
    message = bytes(range(256))
    sock = Socket(arriving=[message[:100], message[100:], b""])
    conn = Connection(sock)
    while wanted := conn.wanted():
        assert len(sock.calls) < 50
        if wanted & READ:
            conn.receive()
        if wanted & WRITE:
            conn.send()
    assert sock.taken == message


STEPS = [("receive", b"x"), ("receive", bytes(HIGH_WATER)), ("receive", b"")]
STEPS += [("send", 1), ("send", 5), ("send", HIGH_WATER), ("receive", RESET), ("send", RESET)]
TELL = {"receive": Connection.received, "send": Connection.sent}


def test_what_is_done_and_what_is_told_mean_the_same():
    """receive() and send() repeat the lines of received() and sent(), to save two calls."""
    for story in itertools.product(STEPS, repeat=3):
        sock = Socket()
        done, told = Connection(sock), Connection(sock=None)
        for method, outcome in story:
            sock.arriving, sock.room = [outcome], outcome
            sock.trouble = RESET if outcome is RESET else None
            getattr(done, method)()
            if outcome is RESET:
                told.lost()
            else:
                TELL[method](told, outcome)
            assert (done.unsent, done.eof) == (told.unsent, told.eof), story


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels choose other numbers")
def test_flags_are_those_of_poll_and_epoll():
    """So that a server can hand them to the kernel as they are."""
    assert select.POLLIN == select.EPOLLIN == READ
    assert select.POLLOUT == select.EPOLLOUT == WRITE
