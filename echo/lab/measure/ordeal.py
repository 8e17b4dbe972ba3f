"""The bench of bad clients: what becomes of a good client, and of the server, beside each.

    table = ordeal(blocking_server, epoll_server)
    table                                           # three questions, a row for each server
    table.row("epoll")["never reads"].holds         # "a part"
    table.stalling("epoll")                         # []

Each server is started anew for each bad client.  That one comes first and does its worst; then
a good one connects, says hello, and we see whether it is answered.  Nothing is decided by a
clock: who is not answered stalls once the server sleeps and nothing is ready for it, or has
computed for long without coming to it (settle() tells).
"""

import contextlib
import inspect
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from echo.lab.kernel import sockets
from echo.lab.kernel.sockets import tcp_info
from echo.lab.measure import apart
from echo.lab.run.at_rest import A_MOMENT, GIVES_UP, LOOKS, at_work
from echo.lab.run.clients import reset
from echo.lab.run.faults import Flood
from echo.lab.run.rest import settle
from echo.lab.run.server import Server, name_of, start
from echo.lab.show.tables import (
    Table,
    legend_html,
    legend_text,
    marked_cells,
    table_html,
    table_text,
)

SMALL_BUFFER = (
    16 * 1024
)  # bytes asked for each buffer but a client's for sending; Linux doubles them
OFFERED = 8 * SMALL_BUFFER  # bytes: that buffer, and what a client offers at once
MUCH = 2 * 1024 * 1024  # bytes: what a client sends who never reads, if the server takes it
A_PART = MUCH // 2  # bytes; ours hold 0.3 MiB at the most, who knows no limit holds 1.9
OVERFULL = (
    8 * SMALL_BUFFER
)  # bytes: more than the buffers on the way back take, so some of it is owed
FINS = 2  # bytes: the end of input and that of output count as one each (tcp_input.c)


class Trial(NamedTuple):
    """What became of a server and its good client beside one bad client."""

    served: str  # whether the good client is answered: "yes", "stalls", or "crashes"
    server: str  # "asleep" or "busy" while both clients wait; "ended" if it has crashed
    holds: str  # of what the bad client has sent: "nothing", "a part" (at most 1 MiB), "everything"


QUESTIONS = {
    "served": "Is another client served meanwhile?",
    "server": "Is the server asleep or busy meanwhile?",
    "holds": "How much of what the bad client sends does the server hold?",
}
ORDEAL_WARNED = {"stalls", "crashes", "busy", "ended", "everything"}


def alarming(client: str, word: str) -> bool:
    """Whether a word tells of a fault: who is flooded may well be busy."""
    return word in ORDEAL_WARNED and (client, word) != ("flooder", "busy")


class Ordeal(Table):
    """The table: one row for each server, {bad client: Trial}; one column for each bad client."""

    def __init__(self, rows: dict[str, dict[str, Trial]]) -> None:
        heads = ["", *CLIENTS]
        texts, markups = [], []
        for field, question in QUESTIONS.items():
            cells = [
                [name, *(getattr(trial, field) for trial in row.values())]
                for name, row in rows.items()
            ]
            texts.append(f"{question}\n\n{table_text(heads, cells)}")
            markups.append(table_html(question, heads, marked_cells(heads, cells, alarming)))
        legend = {name: inspect.getdoc(client) or "" for name, client in CLIENTS.items()}
        texts.append(legend_text(legend))
        markups.append(legend_html(legend))
        super().__init__(rows, "\n\n\n".join(texts), markups)

    def stalling(self, server: str) -> list[str]:
        """The bad clients beside which nobody else is answered by this server."""
        return [client for client, trial in self.row(server).items() if trial.served != "yes"]


def ordeal(*servers: Any) -> Ordeal:
    """Put each server beside each bad client: who is served meanwhile, who sleeps, who hoards.

    `servers`: modules with serve(), or such functions; or one list of them.  Under a second a
    server.  Takes one process of its own, the frozen client.
    """
    serves = functions(servers)
    found = apart.each("ordeal", "trials", serves) or [*map(trials, serves)]
    return Ordeal(
        {
            name_of(serve): {name: Trial(*words) for name, words in row.items()}
            for serve, row in zip(serves, found, strict=True)
        }
    )


def trials(serve: Callable[..., Any]) -> dict[str, Trial]:
    """One server, beside each bad client."""
    with Frozen() as frozen:
        return {name: trial(serve, bad, frozen) for name, bad in CLIENTS.items()}


def functions(servers: tuple[Any, ...]) -> list[Callable[..., Any]]:
    """The functions serve() of what was given: modules, functions, or one list of them."""
    if len(servers) == 1 and isinstance(servers[0], list | tuple):
        servers = tuple(servers[0])
    return [getattr(server, "serve", server) for server in servers]


def trial(serve: Callable[..., Any], bad: Callable[..., Any], frozen: "Frozen") -> Trial:
    """One server, beside one bad client."""
    server = start(serve, buffer=SMALL_BUFFER)
    bench = Bench(server, frozen)
    try:
        with bad(bench):
            answered = bench.serves_another()
            # Who has been answered waits again, and it is the bad client's turn to matter.
            bench.settle(A_MOMENT)
            doing = at_work(server)
            held = bench.held()
            if server.crash is not None:
                return Trial("crashes", "ended", "nothing")
            holds = "everything" if held > A_PART else "a part" if held > FINS else "nothing"
            return Trial("yes" if answered else "stalls", doing, holds)
    finally:
        bench.close()
        server.end()


class Bench:
    """A server in its ordeal, the sockets of its clients, and what can be asked about them."""

    def __init__(self, server: Server, frozen: "Frozen") -> None:
        self.server, self.frozen = server, frozen
        self.socks: list[socket.socket] = []
        self.end: socket.socket | None = None  # the server's end of the bad client
        self.flood: Flood | None = None

    def connect(self) -> socket.socket:
        """A client with small buffers; the first one is the bad one."""
        sock = socket.socket()
        self.socks.append(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, OFFERED)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        try:
            sock.connect(self.server.address)
        except OSError:
            if self.server.crash is None:
                raise
        self.find_end()
        return sock

    def find_end(self) -> None:
        """The bad client comes first, so the first socket accepted is its own."""
        deadline = time.monotonic() + GIVES_UP
        while self.end is None and not self.server.ended and time.monotonic() < deadline:
            self.end = next(iter(self.server.accepted()), None)
            time.sleep(0.0005)

    def settle(self, patience: float = GIVES_UP) -> None:
        with contextlib.suppress(TimeoutError):  # it is busy, and that will be seen
            settle(self.server, patience)

    def stuff(self, sock: socket.socket, most: int) -> None:
        """Send without reading until the server takes no more, or has taken `most` bytes.

        It takes no more when it rests and leaves lying what has arrived for it.
        """
        data = memoryview(bytes(most))
        sock.setblocking(False)
        deadline = time.monotonic() + GIVES_UP
        refused = 0
        while refused < LOOKS and not self.server.ended and time.monotonic() < deadline:
            before = self.taken()
            with contextlib.suppress(OSError):  # EAGAIN; or a server that has crashed
                while data:
                    data = data[sock.send(data[:OFFERED]) :]
            self.settle()
            if not data and sockets.queues(sock).unacknowledged == 0 and not self.unread():
                return
            refused = refused + 1 if self.unread() and self.taken() == before else 0
            time.sleep(0.001)

    def unread(self) -> int:
        return sockets.unread([self.end])[0] if self.end is not None else 0

    def taken(self) -> int:
        return counts(self.end)[0] if self.end is not None else 0

    def held(self) -> int:
        """Bytes that the server has taken from the bad client and not given back."""
        if self.flood is not None:  # what it says never was in the kernel
            return self.flood.unanswered * FLOODED if self.flood.unanswered > LOOKS else 0
        if self.end is None or self.end.fileno() < 0:  # closed: there is nothing left to give
            return 0
        taken, given = counts(self.end)
        return taken - given

    def serves_another(self) -> bool:
        """Whether a good client is answered while the bad one is there."""
        good = self.connect()
        good.setblocking(False)
        with contextlib.suppress(OSError):
            good.send(b"hello")
            select.select([good], [], [], A_MOMENT)  # to settle, who never sleeps needs longer
            for _ in range(LOOKS):
                if select.select([good], [], [], 0)[0]:
                    break
                self.settle()
            return bool(select.select([good], [], [], 0)[0]) and good.recv(100) == b"hello"
        return False

    def close(self) -> None:
        for sock in self.socks:
            reset(sock)


FLOODED = 1024  # bytes that one recv() of a flooding client returns, see faults.Flooded


def counts(sock: socket.socket) -> tuple[int, int]:
    """(bytes that the program has taken out of this socket, bytes that it has put in).

    The kernel counts what has arrived and what was acknowledged (tcp(7), TCP_INFO:
    tcpi_bytes_received, tcpi_bytes_acked, since Linux 4.1); what lies in its queues is unread,
    or not acknowledged yet.
    """
    try:
        queues, info = sockets.while_nothing_moves(sock, lambda: tcp_info(sock))
    except OSError:  # closed meanwhile
        return 0, 0
    acked, received = struct.unpack_from("QQ", info, 120)
    return received - queues.unread, acked + queues.unacknowledged


# -- the bad clients -----------------------------------------------------------------------------


@contextlib.contextmanager
def silent(bench: Bench) -> Iterator[None]:
    """Connects, and says nothing."""
    bench.connect()
    bench.settle()
    yield


@contextlib.contextmanager
def dribbler(bench: Bench) -> Iterator[None]:
    """Sends one byte at a time, and takes its time; reads each when it comes back."""
    sock = bench.connect()
    sock.settimeout(GIVES_UP)
    for byte in b"drip":
        with contextlib.suppress(OSError):
            sock.send(bytes([byte]))
            sock.recv(1)
        bench.settle()
    yield


@contextlib.contextmanager
def slow_reader(bench: Bench) -> Iterator[None]:
    """Sends as much as it can, and reads a little of the answer now and then."""
    sock = bench.connect()
    bench.stuff(sock, MUCH)
    for _ in range(4):
        with contextlib.suppress(OSError):
            sock.recv(SMALL_BUFFER // 4)
        bench.settle()
    yield


@contextlib.contextmanager
def never_reads(bench: Bench) -> Iterator[None]:
    """Sends as much as it can, and reads nothing."""
    bench.stuff(bench.connect(), MUCH)
    yield


@contextlib.contextmanager
def half_closer(bench: Bench) -> Iterator[None]:
    """Sends more than the buffers take, says that it has finished, and does not read yet."""
    sock = bench.connect()
    bench.stuff(sock, OVERFULL)
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
    bench.settle()
    yield


@contextlib.contextmanager
def resetter(bench: Bench) -> Iterator[None]:
    """Sends something, and resets the connection instead of reading the answer."""
    sock = bench.connect()
    with contextlib.suppress(OSError):
        sock.send(b"hello")
    bench.settle()
    reset(sock)
    bench.settle()
    yield


@contextlib.contextmanager
def flooder(bench: Bench) -> Iterator[None]:
    """Always has more to send, and reads just as fast."""
    server = bench.server
    with server.flood() as flood:
        bench.flood = flood
        sock = bench.connect()
        with contextlib.suppress(OSError):
            sock.send(b"x")
        deadline = time.monotonic() + GIVES_UP
        while flood.reads < 100 and not server.ended and time.monotonic() < deadline:
            time.sleep(0.001)
        server.flooding = None  # whoever comes now is a client as any other
        yield


@contextlib.contextmanager
def frozen(bench: Bench) -> Iterator[None]:
    """A process that sent something and was stopped; its kernel still takes the answer."""
    with bench.frozen.client(bench.server.address[1]):
        bench.find_end()
        bench.settle()
        yield


class Frozen:
    """A process that plays the frozen client, one server after the other."""

    PROGRAM = """
import os, signal, socket, struct, sys
for line in sys.stdin:
    with socket.create_connection(("127.0.0.1", int(line))) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.sendall(bytes(1000))
        os.kill(os.getpid(), signal.SIGSTOP)
"""

    def __enter__(self) -> "Frozen":
        command = [sys.executable, "-I", "-S", "-c", self.PROGRAM]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    @contextlib.contextmanager
    def client(self, port: int) -> Iterator[None]:
        """Inside the block it is connected to `port`, has sent a thousand bytes, and is stopped.

        Raises RuntimeError if it does not come so far.
        """
        assert self.process.stdin is not None
        self.process.stdin.write(f"{port}\n")
        self.process.stdin.flush()
        deadline = time.monotonic() + GIVES_UP
        while not self.stopped():
            if time.monotonic() > deadline:
                raise RuntimeError("the client that was to be stopped never got that far")
            time.sleep(0.001)
        try:
            yield
        finally:
            os.kill(self.process.pid, signal.SIGCONT)

    def stopped(self) -> bool:
        """Whether the kernel has stopped it since the last time (waitpid(2), WUNTRACED)."""
        pid, status = os.waitpid(self.process.pid, os.WUNTRACED | os.WNOHANG)
        return pid != 0 and os.WIFSTOPPED(status)


CLIENTS = {
    "silent": silent,
    "dribbler": dribbler,
    "slow reader": slow_reader,
    "never reads": never_reads,
    "half-closer": half_closer,
    "resetter": resetter,
    "flooder": flooder,
    "frozen": frozen,
}
