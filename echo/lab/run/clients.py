"""Connections to try things on: listeners, pairs, callers, and bytes that arrive in pieces."""

import errno
import socket
import struct
from collections.abc import Callable
from typing import Any

from echo.lab.kernel import sockets
from echo.lab.kernel.tcp_table import tcp_sockets


def bind(sock: socket.socket) -> None:
    """To a free port of 127.0.0.1 of which no earlier connection is left, in TIME_WAIT, say."""
    for _ in range(100):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = probe.getsockname()
        if not tcp_sockets(address[1]):
            try:
                sock.bind(address)
            except OSError:  # somebody else was faster
                continue
            return
    sock.bind(("127.0.0.1", 0))


def listen(backlog: int = socket.SOMAXCONN) -> socket.socket:
    """A listening socket on a port of 127.0.0.1 that has no past."""
    listener = socket.socket()
    bind(listener)
    listener.listen(backlog)
    return listener


def reset_when_closed(sock: socket.socket) -> None:
    """From now on close() sends RST, not FIN, and leaves no TIME_WAIT (socket(7), SO_LINGER)."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def reset(sock: socket.socket) -> None:
    """Leave without a goodbye."""
    if sock.fileno() >= 0:
        reset_when_closed(sock)
        sock.close()


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


def outcome(call: Callable[..., Any], *arguments: Any) -> Any:
    """What a call returns, or the name of the error that it raises: "ECONNRESET"."""
    try:
        return call(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, type(error).__name__)


EMPTY_READS = 100  # the kernel has more: a loop that overlooks b"" never ends


class Arriving(socket.socket):
    """One end of a pair.  The other one sends the next piece when all before has been read."""

    def __init__(self, pieces: list[bytes]) -> None:
        ours, self.sender = socket.socketpair()
        super().__init__(fileno=ours.detach())
        self.pieces = pieces
        self.ends = 0  # how often it has said so

    def recv(self, size: int, *flags: int) -> bytes:
        self._arrive(bool(flags))
        data = super().recv(size, *flags)
        self.ends += size > 0 and not data
        if self.ends > EMPTY_READS:
            raise RuntimeError(
                f"recv() has returned b'' {EMPTY_READS} times: nothing more will come"
            )
        return data

    def recv_into(self, buffer: Any, *args: int) -> int:
        self._arrive(len(args) > 1)
        return super().recv_into(buffer, *args)

    def _arrive(self, wholly: bool) -> None:
        """`wholly`: for MSG_WAITALL, which waits inside the kernel, everything comes at once."""
        while self.pieces and (wholly or sockets.unread([self]) == [0]):
            self.sender.sendall(self.pieces.pop(0))
        if not self.pieces:
            self.sender.close()

    def close(self) -> None:
        self.sender.close()
        super().close()

    def __repr__(self) -> str:
        unread = b""
        if sockets.unread([self]) != [0]:
            unread = super().recv(1 << 20, socket.MSG_PEEK)
        return f"arriving({', '.join(repr(piece) for piece in [unread, *self.pieces] if piece)})"


def arriving(*pieces: bytes) -> Arriving:
    """A connected socket: each recv() returns of one piece only, as much as it asks for.

    After the last piece recv() returns b"".  A piece is at most 64 KiB, which a pair of sockets
    takes at once; ValueError for a longer one, or for one of no bytes, which nobody can send.
    Who does not mind b"" gets it 100 times, and then a RuntimeError.
    """
    if not all(0 < len(piece) <= 1 << 16 for piece in pieces):
        raise ValueError("a piece has 1 to 65536 bytes")
    return Arriving(list(pieces))
