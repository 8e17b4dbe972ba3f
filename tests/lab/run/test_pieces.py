"""A message that comes in pieces, on a real pair of sockets."""

import socket

import pytest

from echo.lab import arriving


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
