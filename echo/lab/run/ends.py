"""The two ends that the bench makes: a server's listener, and the client of a server."""

import contextlib
import errno
import os
import socket
import weakref
from collections.abc import Callable
from typing import Any

from echo.lab.run.threads import Stopped, lock

Sockets = list[weakref.ref[socket.socket]]  # which keeps none of them alive


class Listener(socket.socket):
    """A listening socket on a free port of 127.0.0.1 that remembers whom it has accepted."""

    server: Any  # a Server

    def accept(self) -> tuple[socket.socket, Any]:
        tape = self.server.tape
        return self._next() if tape is None else tape.accept(self, self._next)

    def _next(self) -> tuple[socket.socket, Any]:
        server = self.server
        server.gate.wait()
        if server.full is not None and not server.full.admits():
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        try:
            sock, address = super().accept()
        except BlockingIOError:
            server.asked_in_vain += 1
            raise
        except OSError:
            if not server.stopping:
                raise
            raise Stopped from None
        if server.full is not None:
            server.full.open = None  # the descriptor that was free is taken
        sock = server.adopt(sock)
        if server.stopping:  # it came while we were hanging up
            hang_up(sock)
        return sock, address


class Client(socket.socket):
    """A client's socket.  What it does returns once the server has finished reacting.

    If the server has crashed, recv() and send() say how, instead of an empty answer.
    """

    server: Any  # a Server

    def connect(self, address: Any) -> None:
        self._naming(super().connect, address)
        self.server._react()

    def recv(self, *args: Any) -> bytes:
        data: bytes = self._naming(super().recv, *args)
        if data == b"":
            self.server._react()  # it may be about to crash: a `with` closes first
            self.server.raise_crash()
        return data

    def send(self, *args: Any) -> int:
        self.server.raise_crash()  # the kernel would take what nobody will ever read
        count: int = self._naming(super().send, *args)
        self.server._react()
        return count

    def sendall(self, *args: Any) -> None:
        self.server.raise_crash()
        self._naming(super().sendall, *args)
        self.server._react()

    def shutdown(self, how: int) -> None:
        self._naming(super().shutdown, how)
        self.server._react()

    def close(self) -> None:
        was_open = self.fileno() >= 0
        super().close()
        if was_open:
            self.server._react()

    def _naming(self, call: Callable[..., Any], *args: Any) -> Any:
        try:
            return call(*args)
        except BlockingIOError:
            raise
        except OSError:
            self.server._react()
            self.server.raise_crash()
            raise


def is_open(sock: socket.socket | None) -> bool:
    return sock is not None and sock.fileno() >= 0


def remember(refs: Sockets, sock: socket.socket) -> None:
    """Add it to a list that keeps none of them alive; now and then forget who has closed.

    A WeakSet would run Python code whenever one goes, and an interrupt in there is lost.
    """
    with lock:
        if len(refs) % 256 == 255:
            refs[:] = [ref for ref in refs if is_open(ref())]
        refs.append(weakref.ref(sock))


def open_ones(refs: Sockets) -> list[Any]:
    return [sock for ref in list(refs) if is_open(sock := ref())]


def hang_up(sock: socket.socket) -> None:
    """Shut both directions, twice: a second one makes a listener readable as well."""
    for _ in range(2):
        with contextlib.suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)
