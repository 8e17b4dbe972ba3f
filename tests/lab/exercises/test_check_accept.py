"""The check of a server that accepts on the ring: also of one whose buffers are small."""

import contextlib
import ctypes
import socket

import pytest

from echo import epoll_server
from echo.connection import Connection
from echo.lab import check_accept
from echo.ring import ACCEPT, RECV, SEND, Ring

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
    assert capsys.readouterr().out.splitlines()[-1] == "2 of 2 requirements met."
    check_accept(on_the_ring(size, forgets), until=FIRST)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "FAIL  sends the rest of a send that took only a part"
    assert "a client sent 300,000 bytes and then began to read; 2" in lines[2]


def test_server_without_a_ring_is_refused(capsys):
    check_accept(epoll_server.serve, until=FIRST)
    assert "it calls accept() itself" in capsys.readouterr().out
