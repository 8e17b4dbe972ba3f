"""Connections to try things on."""

import socket

import pytest

from echo.lab import arriving, callers, connected, listen, outcome, sent_again, state, until


def close(*sockets):
    for sock in sockets:
        sock.close()


def test_both_ends_of_one_connection():
    client, conn = connected()
    assert client.getpeername() == conn.getsockname()
    assert conn.getpeername() == client.getsockname()
    assert (client.gettimeout(), conn.gettimeout()) == (5, None)
    close(client, conn)


def test_to_a_listener_of_ours():
    """Every end that it accepts has its port."""
    with listen() as door:
        pairs = [connected(door) for _ in range(3)]
        assert {conn.getsockname() for _, conn in pairs} == {door.getsockname()}
        for pair in pairs:
            close(*pair)


@pytest.mark.timing
def test_callers_at_a_queue_that_is_full():
    """Who does not fit waits; nobody is refused."""
    door, clients = callers(4, backlog=1)
    until(lambda: [state(one) for one in clients] == ["ESTABLISHED"] * 2 + ["SYN_SENT"] * 2)
    assert [one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) for one in clients] == [0] * 4
    assert [sent_again(one) for one in clients] == [0] * 4
    close(door, *clients)


@pytest.mark.timing
def test_a_late_client_sends_again():
    door, (first, late) = callers(2, backlog=0)
    conn, _ = door.accept()
    until(lambda: state(late) == "ESTABLISHED")
    assert (sent_again(first), sent_again(late)) == (0, 1)
    close(door, first, late, conn)


def test_outcome_is_what_a_call_returns_or_the_name_of_its_error():
    client, conn = connected()
    client.sendall(b"hello")
    assert outcome(conn.recv, 100) == b"hello"
    conn.setblocking(False)
    assert outcome(conn.recv, 100) == "EAGAIN"
    close(client, conn)
    assert outcome(conn.recv, 100) == "EBADF"


def test_outcome_of_a_timeout_has_a_name_too():
    """It has no number: Python itself has given up."""
    client, conn = connected()
    client.settimeout(0.01)
    assert outcome(client.recv, 100) == "TimeoutError"
    close(client, conn)


def test_state_is_known_without_a_peer():
    with socket.socket() as sock:
        assert state(sock) == "CLOSE"


# A message that comes in pieces.


@pytest.fixture
def sock():
    with arriving(b"he", b"llo") as sock:
        yield sock


def test_one_recv_gets_one_piece(sock):
    assert [sock.recv(100) for _ in range(4)] == [b"he", b"llo", b"", b""]


def test_a_small_recv_leaves_the_rest(sock):
    assert [sock.recv(1), sock.recv(1), sock.recv(2), sock.recv(9)] == [b"h", b"e", b"ll", b"o"]


def test_recv_into_gets_the_same():
    with arriving(b"he", b"llo") as sock, sock.makefile("rb") as file:
        assert [file.read(4), file.read()] == [b"hell", b"o"]


def test_to_wait_for_all_gets_all(sock):
    assert sock.recv(5, socket.MSG_WAITALL) == b"hello"


def test_shows_what_is_still_to_come(sock):
    """A failed check shows it as an argument."""
    assert repr(sock) == "arriving(b'he', b'llo')"
    sock.recv(1)
    assert repr(sock) == "arriving(b'e', b'llo')"
    sock.recv(100)
    sock.recv(100)
    assert repr(sock) == "arriving()"


def read_on(sock):
    while True:
        sock.recv(100)


def test_who_overlooks_the_end_is_told():
    with arriving() as sock, pytest.raises(RuntimeError, match="returned b'' 100 times"):
        read_on(sock)


@pytest.mark.parametrize("piece", [b"", bytes(65537)], ids=["nothing", "too long"])
def test_what_cannot_be_sent_at_once_is_no_piece(piece):
    with pytest.raises(ValueError, match="1 to 65536 bytes"):
        arriving(b"he", piece)


def test_gives_its_descriptors_back(sock):
    sock.close()
    assert sock.fileno() == sock.sender.fileno() == -1
