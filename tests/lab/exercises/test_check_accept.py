"""The check of a server that accepts on the ring: also of one whose buffers are small."""

import contextlib
import ctypes
import errno
import socket

import pytest

from echo import epoll_server, io_uring_server
from echo.connection import Connection
from echo.lab import check, check_accept, check_repair
from echo.lab.words import ring_refused
from echo.ring import ACCEPT, RECV, SEND, Ring
from echo.syscall import REFUSALS

FIRST = "closes when the client has finished"

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


def on_the_ring(size, took):
    """A server with buffers of `size` bytes; `took` is told what the result of a send was."""

    def serve(listener):
        clients = {}
        with contextlib.closing(Ring()) as ring:
            ring.submit(ACCEPT, listener.fileno())
            while True:
                for operation, fd, result, _ in ring.wait():
                    if operation == ACCEPT:
                        ring.submit(ACCEPT, fd)
                        conn = Connection(socket.socket(fileno=result))
                        clients[result] = conn, ctypes.create_string_buffer(size)
                        ring.submit(RECV, result, clients[result][1])
                        continue
                    conn, memory = clients[fd]
                    if result < 0:
                        conn.lost()
                    elif operation == SEND:
                        took(conn, result)
                    else:
                        conn.received(memory.raw[:result])
                    if conn.unsent:
                        ring.submit(SEND, fd, conn.unsent)
                    elif conn.wanted():
                        ring.submit(RECV, fd, memory)
                    else:
                        clients.pop(fd)[0].sock.close()

    return serve


def forgets(conn, _):
    conn.unsent = b""


@pytest.mark.parametrize("size", [1024, 4096, 65_536])
def test_rest_of_a_send_is_missed(size, capsys):
    """The suite misses it only if a send is often taken in part."""
    check_accept(on_the_ring(size, Connection.sent), until=FIRST)
    assert capsys.readouterr().out.splitlines()[-1] == "2 of 2 requirements met by serve()."
    check_accept(on_the_ring(size, forgets), until=FIRST)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "FAIL  sends the rest of a send that took only a part"
    assert "a client sent 300,000 bytes and then began to read; 2" in lines[2]


def test_server_without_a_ring_is_refused(capsys):
    check_accept(epoll_server.serve, until=FIRST)
    assert "it calls accept() itself" in capsys.readouterr().out


def test_crash_is_reported_by_the_suite(capsys):
    """Also one that comes before there is a client."""

    def crashes(listener):
        raise ValueError("no")

    check_accept(crashes, until=FIRST)
    assert "the server crashed: ValueError: no" in capsys.readouterr().out


def test_nobody_is_blamed_where_the_ring_is_refused(monkeypatch, capsys):
    """Not the server, and not the line that was changed: neither could be tried."""

    def refuse(ring):
        ring.fd, ring.lent = -1, {}
        raise PermissionError(errno.EPERM, "no io_uring here: forbidden")

    monkeypatch.setattr(Ring, "__init__", refuse)
    check_accept(on_the_ring(1024, Connection.sent), until=FIRST)
    check(io_uring_server.serve, until=FIRST)
    new = "memory[conn.fileno()] = ctypes.create_string_buffer(RECV_SIZE)"
    check_repair("one_buffer", "memory[conn.fileno()] = buffer", new)
    said = capsys.readouterr().out.splitlines()
    assert said == ["Not asked: no io_uring here: forbidden."] * 3


@pytest.mark.parametrize("why", REFUSALS.values())
@pytest.mark.parametrize("place", ["(io_uring_server.py, line 21)", "(line 2 of serve)"])
def test_refusal_is_found_in_what_is_said_of_a_crash(why, place):
    """Whole, and without the place where it came."""
    crash = f"the server crashed: OSError: [Errno 1] {why} {place}"
    assert ring_refused(crash) == ring_refused(f"connects\n{crash}\nleaves") == why
