"""What an echo and an idle client cost: system calls, processor time, memory.

    all_at_once(epoll_server.serve, clients=50).each    # 2.02
    processor_time("epoll", "io_uring", clients=50)     # {"epoll": seconds an echo, ...}
    idle_memory("epoll", "io_uring")                    # {"epoll": bytes a client, ...}

Calls are exact.  Times and sizes differ from run to run: a lesson prints what follows from a
ratio of two of them.
"""

import contextlib
import os
import select
import shlex
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from echo.lab.measure.costs import resident
from echo.lab.record.calls import WAITS, Asked
from echo.lab.record.tape import Tape
from echo.lab.run.faults import Gate, more_descriptors
from echo.lab.run.process import Process
from echo.lab.run.program import ROOT
from echo.lab.run.rest import settle, until
from echo.lab.run.server import Server, start

MESSAGE = b"hello, hello, hello, hello, hello, hello, hello, hello, hello!!!"  # 64 bytes
ANSWERS_WITHIN = 10.0  # seconds for an answer
WARM_UP = 50  # messages of each client before anything is measured
LEAST_OF, ECHOES = 6, 400  # the least of so many measurements, each of so many echoes
CODE = """
import importlib, socket, sys
name, port = sys.argv[1:]
try:
    module = importlib.import_module(f"echo.{name}_server")
except ImportError:
    from echo.lab import zoo
    module = zoo.load(name)
try:
    module.serve(socket.create_server(("127.0.0.1", int(port)), backlog=4096))
except OSError as error:
    sys.exit(error.strerror)
"""


class HeldTape(Tape):
    """A tape that can hold its server before the next wait."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate()
        self.each = 0.0  # calls for each message
        self._held: dict[int, str] = {}

    def call(
        self, name: str, asked: Asked, make: Callable[..., Any], *args: Any, **options: Any
    ) -> Any:
        if name in WAITS and self.gate.shut:
            tid = threading.get_native_id()
            self._held[tid] = name
            self.gate.wait()
            self._held.pop(tid, None)
        return super().call(name, asked, make, *args, **options)

    def at_gate(self) -> dict[int, str]:
        return dict(self._held)

    def open_gate(self, server: Server | None = None) -> None:
        self.gate.shut = False


def all_at_once(serve: Callable[..., Any], clients: int) -> HeldTape:
    """The tape of a server whose clients have all sent before it looks; `.each`: calls an echo.

    The clients connect together and the server is held before its next wait until each of them
    has sent 64 bytes.  `.each` counts the calls from there on, and not the one in which the
    server sleeps at the end.  Raises Crashed for what the server raises.
    """
    tape = HeldTape()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(start(serve, tape))
        settle(server)
        tape.gate.shut = True
        with server.hold():
            socks = [server.connect() for _ in range(clients)]
            for sock in socks:
                stack.callback(socket.socket.close, sock)
        until(lambda: tape.at_gate() or server.crash, ANSWERS_WITHIN)
        before = len(tape)
        for sock in socks:
            sock.send(MESSAGE)
        tape.open_gate()
        for sock in socks:
            sock.recv(len(MESSAGE))  # a server that is let go on need not have begun to
        settle(server)
        server.raise_crash()
        tape.each = (len(tape) - before) / clients
        server.end()
    return tape


def processor_time(*names: str, clients: int = 50) -> dict[str, float]:
    """Seconds of processor time that each server needs for one echo of 64 bytes.

    `names`: as `python -m echo` knows them, or animals of the zoo.  Each is a process of its
    own; all of its clients have sent before it is let go on (SIGSTOP, SIGCONT).  What disturbs
    makes a server need more, so the least of several measurements counts, and the servers take
    turns.  Kernel and program are added (/proc/<pid>/task/*/schedstat, proc(5)).

    Raises echo.lab.run.process.Unusable for a server that does not start.
    """
    best = dict.fromkeys(names, float("inf"))
    with contextlib.ExitStack() as stack:
        servers = {name: stack.enter_context(running(name)) for name in names}
        crowds = {
            name: [stack.enter_context(visitor(server)) for _ in range(clients)]
            for name, server in servers.items()
        }
        turns = max(1, ECHOES // clients)
        for name in names:  # at first TCP acknowledges each segment at once, tcp(7), TCP_QUICKACK
            echoes(servers[name], crowds[name], WARM_UP)
        for _ in range(LEAST_OF):
            for name, server in servers.items():
                before = computed(server.pid)
                echoes(server, crowds[name], turns)
                spent = computed(server.pid) - before
                best[name] = min(best[name], spent / (turns * clients))
    return best


def idle_memory(*names: str, clients: int = 300) -> dict[str, float]:
    """Bytes of a server's memory for each client that is connected and silent.

    `names` as in processor_time().  Resident memory of the process (/proc/<pid>/smaps_rollup,
    Rss); what the kernel keeps for a socket is not in it.  Each client has been served once.
    """
    sizes = {}
    with more_descriptors(2 * clients + 64):
        for name in names:
            with running(name) as server, contextlib.ExitStack() as stack:
                few = [stack.enter_context(visitor(server)) for _ in range(10)]
                echoes(server, few, 1)
                before = resident(server.pid)
                many = [stack.enter_context(visitor(server)) for _ in range(clients)]
                echoes(server, many, 1)
                sizes[name] = (resident(server.pid) - before) / clients
    return sizes


@contextlib.contextmanager
def running(name: str) -> Iterator[Process]:
    """A server as a process of its own."""
    words = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{CODE}", name]
    server = Process(f"{shlex.join(words)} {{port}}")
    try:
        with visitor(server) as first:  # malloc maps and unmaps large blocks until one is freed
            echoes(server, [first], 1)
            first.shutdown(socket.SHUT_WR)
            first.recv(1)
        yield server
    finally:
        server.end()


def visitor(server: Process) -> socket.socket:
    """One that sends at once (TCP_NODELAY): Nagle's algorithm would have it wait for an ACK.

    It resets in the end, and so leaves nothing in TIME_WAIT (socket(7), SO_LINGER).
    """
    sock = socket.create_connection(server.address, timeout=ANSWERS_WITHIN)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return sock


def echoes(server: Process, socks: list[socket.socket], turns: int) -> None:
    """All send while the server is stopped, and read when all has come back.

    A client that sleeps in recv() would have to be woken, at the cost of the server that sends.
    """
    for _ in range(turns):
        os.kill(server.pid, signal.SIGSTOP)
        for sock in socks:
            sock.send(MESSAGE)
        os.kill(server.pid, signal.SIGCONT)
        deadline = time.monotonic() + ANSWERS_WITHIN
        while len(select.select(socks, (), (), 0)[0]) < len(socks):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not all of {len(socks)} messages come back")
            time.sleep(0.0005)
        for sock in socks:
            sock.recv(len(MESSAGE))


def computed(pid: int) -> float:
    """Seconds for which the threads of a process have run."""
    files = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(file.read_text("ascii").split()[0]) for file in files) / 1e9
