"""Connections to try things on: both ends of one, or clients at the door of a listener.

client, conn = connected()          # what create_connection() and accept() return
door, clients = callers(8, backlog=5)
outcome(conn.recv, 100)             # b"hello", or "ECONNRESET"
"""

import errno
import socket
from collections.abc import Callable
from typing import Any

from echo.lab.sockets import listen


def connected(listener: socket.socket | None = None) -> tuple[socket.socket, socket.socket]:
    """(the client's end, the server's end) of a new connection on loopback.

    It goes to `listener`, whose accept queue must be empty, or to one that lives only as long
    as this call.  The client's end gives up after 5 seconds; the server's is as accept() makes it.
    """
    if listener is None:
        with listen() as door:
            return connected(door)
    client = socket.create_connection(listener.getsockname(), timeout=5)
    try:
        return client, listener.accept()[0]
    except BaseException:
        client.close()
        raise


def callers(size: int, backlog: int) -> tuple[socket.socket, list[socket.socket]]:
    """A new listener that accepts nobody, and `size` clients, in the order of their connect().

    The clients are non-blocking: their connect() does not wait for its outcome.
    """
    door = listen(backlog)
    clients = [socket.socket() for _ in range(size)]
    for client in clients:
        client.setblocking(False)
        client.connect_ex(door.getsockname())
    return door, clients


def outcome(call: Callable, *arguments: Any) -> Any:
    """What a call returns, or the name of the error that it raises: "ECONNRESET"."""
    try:
        return call(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, type(error).__name__)
