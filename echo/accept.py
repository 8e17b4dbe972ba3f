"""Take clients from the accept queue, even when the process has run out of descriptors.

Without a free descriptor, accept() fails, the client stays in the queue, and the listener
stays readable.  A server that tries again spins, and one that gives up is gone.  So we keep
a spare descriptor.  Closing it makes room for one client.  If we cannot open another spare
after that, we close the connection of this client.
"""

import contextlib
import errno
import os
import socket
import weakref

from echo.connection import Connection

spares = weakref.WeakKeyDictionary()  # listener -> Spare


class Spare:
    def __init__(self, fd):
        self.fd = fd

    def __del__(self):
        os.close(self.fd)


def accept(listener):
    """The next client's socket; sleeps until there is one, if the listener is blocking."""
    while True:
        try:
            sock, _ = listener.accept()
        except ConnectionAbortedError:  # it left before we got to it
            continue
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE) or listener not in spares:
                raise
            del spares[listener]  # EMFILE comes even if the queue is empty: find out
            continue
        try:
            if listener not in spares:
                spares[listener] = Spare(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            sock.close()  # without a spare, we turn this client away
            continue
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # we never send tiny pieces
        return sock


def accept_all(listener):
    """Yield a Connection for every client in the accept queue, until it is empty."""
    with contextlib.suppress(BlockingIOError):
        while True:
            sock = accept(listener)
            sock.setblocking(False)
            yield Connection(sock)
