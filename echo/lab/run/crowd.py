"""A crowd: thousands of clients of one server, held by a process of their own.

    with crowd(server, 2000) as many:
        many.answered()                          # "all"

A connection takes a descriptor at each end.  One process may not have as many as two, so only
the server's ends are in this one.
"""

import contextlib
import os
import resource
import subprocess
import sys
from collections.abc import Iterator

from echo.lab.run.faults import more_descriptors
from echo.lab.run.rest import settle_patiently
from echo.lab.run.server import Server

ALL_ANSWERED = 15.0  # seconds that may take: it is one, and more on a busy machine
MORE = 2048  # descriptors beside the server's ends: what the process has open, and the lesson's
SPARE = 64  # descriptors that are left for everything else

# It ends, and all its clients reset, when its standard input does (socket(7), SO_LINGER): so
# nothing is left in TIME_WAIT, whoever ends first.
HOLDER = """
import contextlib, socket, struct, sys, time
port, count, late = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
socks = []
for _ in range(count):
    socks.append(sock := socket.create_connection(("127.0.0.1", port), timeout=late))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
print(count, flush=True)
for _ in sys.stdin:
    deadline, right = time.monotonic() + late, 0
    for number, sock in enumerate(socks):
        with contextlib.suppress(OSError):
            sock.send(b"client %d" % number)
    for number, sock in enumerate(socks):
        sock.settimeout(max(0.001, deadline - time.monotonic()))
        with contextlib.suppress(OSError):
            right += sock.recv(100) == b"client %d" % number
    print(right, flush=True)
"""


class Crowd:
    """Clients that are connected and silent until they are asked."""

    def __init__(self, process: subprocess.Popen[str], count: int) -> None:
        self._process, self.count = process, count

    def answered(self) -> str:
        """Each sends its own number: who gets it back?  "all" of them, "a part" or "nobody"."""
        right = self.ask()
        return "all" if right == self.count else "a part" if right else "nobody"

    def ask(self) -> int:
        """Each sends its own number; how many get it back."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._told()

    def _told(self) -> int:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the crowd has ended: is the server still there?")
        return int(line)


@contextlib.contextmanager
def crowd(server: Server, count: int) -> Iterator[Crowd]:
    """Inside the block, `count` clients of another process are connected to `server`.

    The soft limit of open files (getrlimit(2)) is raised inside the block, as far as the hard one
    lets us, to leave room for the server's ends.  Where there is still not enough, there are
    fewer clients, and a line is printed that begins `reduced:`.
    Raises RuntimeError if they cannot connect.
    """
    with more_descriptors(count + MORE):
        yield from held(server, count)


def held(server: Server, count: int) -> Iterator[Crowd]:
    """The clients, once they are connected; they end with the generator."""
    most = min(count, room())
    if most < count:
        print(f"reduced: {most} clients, not {count}: too few open files are allowed here")
    arguments = [str(server.address[1]), str(most), str(ALL_ANSWERED)]
    command = [sys.executable, "-I", "-S", "-c", HOLDER, *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            many = Crowd(process, most)
            many._told()
            settle_patiently(server)
            yield many
        finally:
            process.kill()
            process.wait()
            settle_patiently(server)


def room() -> int:
    """How many descriptors this process may still open, and a client process as well."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return max(1, limit - len(os.listdir("/proc/self/fd")) - SPARE)
