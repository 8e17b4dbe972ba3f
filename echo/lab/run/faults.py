"""What the bench does to a server that is tried: no descriptors left, a flood, a gate."""

import contextlib
import fcntl
import os
import resource
import socket
import time
from collections.abc import Iterator
from typing import Any

from echo.lab.kernel.processes import own_descriptors
from echo.lab.kernel.tcp_table import looking


class Gate:
    """Where threads wait while it is shut.

    Whoever opens it may be interrupted: inside threading.Event that can leave the Event's own
    lock closed forever, and then set() itself never returns.  Here it is one assignment.
    """

    def __init__(self) -> None:
        self.shut = False
        self.reached = False  # since it was shut, a thread has come to it

    def wait(self) -> None:
        while self.shut:
            self.reached = True
            time.sleep(0.001)


class Full:
    """Lets the bench's accept() fail with EMFILE as if descriptors had run out.

    A server is let in again for each descriptor closed that was open when it was first
    refused, its spare included.  So a good server recovers and a spinning one spins on.
    """

    def __init__(self, exempt: set[int]) -> None:
        self.exempt = exempt
        self.open: dict[int, tuple[int, int]] | None = None

    def admits(self) -> bool:
        # What the bench reads in /proc in another thread comes and goes, and is not the server's.
        proc = os.stat("/proc").st_dev
        with looking:
            now = {fd: what for fd, what in own_descriptors() if what[0] != proc}
        if self.open is None:
            self.open = {fd: what for fd, what in now.items() if fd not in self.exempt}
            return False
        return any(now.get(fd) != what for fd, what in self.open.items())


class Flood:
    """A client whose kernel always has more: real ones pause, and then nothing can be told."""

    def __init__(self) -> None:
        self.over = False
        self.reads = 0
        self.unanswered = 0  # reads since the last answer
        self.most_unanswered = 0

    def socket(self, sock: socket.socket) -> socket.socket:
        flooded = Flooded(fileno=sock.detach())
        flooded.flood = self
        return flooded


class Flooded(socket.socket):
    """The server's end of a flooding client.  One byte really lies there, unread."""

    flood: Flood

    def recv(self, size: int, *flags: int) -> bytes:
        if self.flood.over:
            return super().recv(size, *flags)
        flood = self.flood
        flood.reads += 1
        flood.unanswered += 1
        flood.most_unanswered = max(flood.unanswered, flood.most_unanswered)
        return b"x" * min(size, 1024)

    def send(self, data: Any, *flags: int) -> int:
        self.flood.unanswered = 0
        return super().send(data, *flags) if self.flood.over else len(data)

    def sendall(self, data: Any, *flags: int) -> None:
        self.flood.unanswered = 0
        if self.flood.over:
            super().sendall(data, *flags)


@contextlib.contextmanager
def more_descriptors(limit: int = 4096) -> Iterator[None]:
    """Raise the soft limit of open files for a moment, as far as the hard one lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(limit, hard)), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def renumbered(sock: socket.socket, lowest: int) -> socket.socket:
    """The same socket under the first free descriptor from `lowest` on."""
    number = fcntl.fcntl(sock, fcntl.F_DUPFD_CLOEXEC, lowest)
    sock.close()
    return socket.socket(fileno=number)
