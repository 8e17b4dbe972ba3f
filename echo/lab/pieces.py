"""A socket to which a message comes in pieces: what loopback hardly ever does by itself.

sock = arriving(b"he", b"llo")
sock.recv(100)                      # b"he"
sock.recv(100)                      # b"llo"
sock.recv(100)                      # b"": whoever sent it has finished
"""

import socket
from typing import Any

from echo.lab import kernel

PATIENCE = 100  # the kernel has more: a loop that overlooks b"" never ends


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
        if self.ends > PATIENCE:
            raise RuntimeError(f"recv() has returned b'' {PATIENCE} times: nothing more will come")
        return data

    def recv_into(self, buffer: Any, *args: int) -> int:
        self._arrive(len(args) > 1)
        return super().recv_into(buffer, *args)

    def _arrive(self, wholly: bool) -> None:
        """`wholly`: for MSG_WAITALL, which waits inside the kernel, everything comes at once."""
        while self.pieces and (wholly or kernel.unread([self]) == [0]):
            self.sender.sendall(self.pieces.pop(0))
        if not self.pieces:
            self.sender.close()

    def close(self) -> None:
        self.sender.close()
        super().close()

    def __repr__(self) -> str:
        unread = b""
        if kernel.unread([self]) != [0]:
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
