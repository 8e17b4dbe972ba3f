"""Connections to try things on."""

import socket

import pytest

from echo.lab import callers, connected, listen, outcome, sent_again, state, until


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
