"""The table that grows through the series: one row for each server, every word of it measured.

    table = compare(blocking_server, select_server)
    predicted("grows", table.row("select")["one wait"])
    table

Each cell is a count, or a verdict whose two sides lie far apart, so it is the same on every run.
"""

import contextlib
import ctypes
import resource
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

from echo.lab.kernel.sleep import ONE, NotTold, Sleep, own_memory, sleeping
from echo.lab.kernel.sockets import longest_queue
from echo.lab.measure import apart
from echo.lab.measure.ordeal import functions
from echo.lab.record.calls import WAITS
from echo.lab.record.tape import Tape
from echo.lab.run.at_rest import at_work
from echo.lab.run.clients import reset
from echo.lab.run.faults import more_descriptors, renumbered
from echo.lab.run.rest import ACCEPTANCE, settle_patiently
from echo.lab.run.server import Server, name_of, start
from echo.lab.run.threads import Crashed
from echo.lab.show.tables import (
    Table,
    legend_html,
    legend_text,
    marked_cells,
    table_html,
    table_text,
)

FEW, MANY = 10, 1000  # idle clients
HIGH = 2048  # clients of ours get descriptors from here on: the low ones are for the server
LIMIT = ENOUGH = HIGH + MANY + 500  # descriptors that we ask for, and need
GROWTH = 4.0  # times as long with MANY: ours take 10 to 40 times as long, or 0.9 to 1.2 times
TIMES_ASKED = 300  # times; the shortest counts, for then nobody has interrupted us
libc = ctypes.PyDLL(None)  # keeps the GIL: what is asked never waits

COLUMNS = {
    "threads": f"of the server, with {FEW} clients",
    "list": "who keeps the list of clients to wait for",
    "calls": "system calls for one echo",
    "one wait": f"does it take longer with {MANY:,} idle clients than with {FEW}?",
    "high": "a client whose descriptor is 1024",
    "idle": "the server while nothing happens",
}
COMPARISON_WARNED = {"grows", "closed", "busy", "never waits", "without end", "crashes"}


class Comparison(Table):
    """The table; row() gives {column: word} of one server, so that it can be predicted first."""

    def __init__(self, rows: dict[str, dict[str, str]], notes: str = "") -> None:
        heads = ["", *COLUMNS]
        cells = [[name, *(row[column] for column in COLUMNS)] for name, row in rows.items()]
        text = f"{table_text(heads, cells)}\n\n{legend_text(COLUMNS)}"
        markup = [
            table_html(
                "The servers so far",
                heads,
                marked_cells(heads, cells, lambda _, word: word in COMPARISON_WARNED),
            ),
            legend_html(COLUMNS),
        ]
        super().__init__(rows, text, markup, notes)


def compare(*servers: Any) -> Comparison:
    """Measure each server anew, and make a table of what came out: one row each.

    `servers`: modules with serve(), or such functions; or one list of them.  Two thousand
    descriptors are needed for a moment, and a queue of a thousand places (somaxconn in listen(2)).
    Where there are fewer, fewer clients are idle, and one more line, `reduced: ...`, says so.
    Where not even 1100 descriptors are allowed, "high" is "not asked".
    """
    serves = functions(servers)
    found = apart.each("comparison", "row_and_crowd", serves) or [*map(row_and_crowd, serves)]
    rows = {name_of(serve): row for serve, (row, _) in zip(serves, found, strict=True)}
    many = min((idle for _, idle in found), default=MANY)
    why = "no queue is longer" if many == longest_places() else "too few open files are allowed"
    notes = ""
    if many < MANY:
        notes = f"reduced: {many} idle clients, not {MANY}: {why} here\n"
    return Comparison(rows, notes)


def row_and_crowd(serve: Callable[..., Any]) -> tuple[dict[str, str], int]:
    """The row of one server, and how many idle clients it was measured with."""
    with more_descriptors(LIMIT):
        many, lowest = room_for_many()
        many = min(many, longest_places())
        return measured(serve, many, lowest), many


def longest_places() -> int:
    """How many idle clients a queue has room for: one served after another leaves all there."""
    return longest_queue() - FEW


def room_for_many() -> tuple[int, int]:
    """(how many idle clients there can be, the lowest descriptor for our ends of them)."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit >= ENOUGH:
        return MANY, HIGH
    used = limit - len(free_below(limit))
    many = min(MANY, max(FEW, (limit - used) // 2 - 20))
    return many, max(3, limit - many - 20)  # at the top: select() needs the low ones


def free_below(limit: int) -> list[int]:
    """The descriptors below `limit` that are free."""
    return [fd for fd in range(limit) if not is_used(fd)]


def is_used(fd: int) -> bool:
    poller = select.poll()
    poller.register(fd, 0)
    return not any(event & select.POLLNVAL for _, event in poller.poll(0))


def measured(serve: Callable[..., Any], many: int, lowest: int) -> dict[str, str]:
    """One row of the table: {column: word}.  Every cell of a server that crashes says so."""
    row = dict.fromkeys(COLUMNS, "crashes")
    tape = Tape()
    server = start(serve, tape)
    try:
        with (
            contextlib.suppress(OSError, Crashed),
            Idle(server, FEW - 1, lowest),
            server.connect() as client,
        ):
            settle_patiently(server)
            row |= {"threads": str(len(server.tids())), "idle": at_work(server)}
            tape.clear()
            client.send(b"hello")
            row["list"] = keeper(tape, row["idle"] == "busy")
    finally:
        crashed = server.crash
        server.end()
    if crashed:
        return dict.fromkeys(COLUMNS, "crashes")
    row["calls"] = calls_of_an_echo(serve)
    row["high"] = high_client(serve)
    if row["idle"] == "busy":
        row["one wait"] = "never waits"
    else:
        if row["high"] != "served":  # it shall not lose them: this column is about time
            many = min(many, len(free_below(1024)) - 24)
        row["one wait"] = growth(serve, many, lowest)
    return row


class Idle:
    """Idle clients of a server; they leave all at once."""

    def __init__(self, server: Server, count: int, lowest: int) -> None:
        self.server, self.count, self.lowest = server, count, lowest
        self.socks: list[socket.socket] = []

    def __enter__(self) -> "Idle":
        try:
            with self.server.hold():  # it finds all of them waiting: one look, and not a thousand
                for _ in range(self.count):
                    self.socks.append(sock := renumbered(socket.socket(), self.lowest))
                    sock.settimeout(ACCEPTANCE)
                    sock.connect(self.server.address)
        except BaseException:
            self.__exit__()
            raise
        settle_patiently(self.server)
        return self

    def __exit__(self, *_: object) -> None:
        for sock in self.socks:
            reset(sock)


def keeper(tape: Tape, busy: bool) -> str:
    """Who keeps the list of those who are waited for, as the calls on the tape tell.

    In a wait that names the clients, the program sends its list along; in one that names
    nobody, the list is elsewhere.  Who makes no such call waits for one client in recv().
    """
    assert tape.server is not None
    calls = [(call.name, call.asked) for call in tape] + list(tape.unfinished.values())
    waits = {name: asked for name, asked in calls if name in WAITS}
    if "io_uring_enter" in waits:
        return "nobody: an operation each"
    if waits:
        lists = (asked for asked in waits.values() if isinstance(asked, dict))
        named = any(role.startswith("client") for asked in lists for role in asked)
        return "the program, in every call" if named else "the kernel"
    if busy:
        return "nobody: it asks every client"
    waited_for = {
        role
        for _, role in tape.unfinished.values()
        if isinstance(role, str) and role.startswith("client")
    }
    everybody = len(waited_for) == tape.server.arrived > 1
    return "nobody: a thread each" if everybody else "nobody: one at a time"


def calls_of_an_echo(serve: Callable[..., Any]) -> str:
    """How many system calls it makes for one message of one client, of three messages the least."""
    tape = Tape()
    server = start(serve, tape)
    counts = set()
    try:
        with server.connect() as client:
            for _ in range(3):
                tape.clear()
                client.send(b"hello")  # and returns once the server has finished reacting
                counts.add(len(tape))
                client.recv(100)
            if at_work(server) == "busy":
                return "without end"
    except OSError:
        return "no echo"
    except Crashed:
        return "crashes"
    finally:
        server.end()
    return str(min(counts))


def high_client(serve: Callable[..., Any]) -> str:
    """What becomes of a client whose descriptor, on the server's side, is 1024: "served", ..."""
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 1100:
        return "not asked"
    server = start(serve)
    try:
        with server.number_descriptors_from(1024), server.connect() as client:
            client.send(b"hello")
            return "served" if client.recv(100) == b"hello" else "closed"
    except OSError:
        return "closed"
    except Crashed:
        return "crashes"
    finally:
        server.end()


def growth(serve: Callable[..., Any], many: int, lowest: int) -> str:
    """Whether one wait takes longer with many idle clients than with few: "grows" or "flat"."""
    if many < 10 * FEW:  # so many descriptors are in use that the difference would not show
        return "not asked"
    server = start(serve)
    try:
        with Idle(server, FEW, lowest):
            short = cost(server)
            with Idle(server, many - FEW, lowest):
                long = cost(server)
    except NotTold:
        return "not told"
    except OSError:
        return "crashes"
    finally:
        server.end()
    return "grows" if long > GROWTH * short else "flat"


def cost(server: Server) -> int:
    """Nanoseconds that it takes to ask once more what the server, asleep, has asked last.

    Its threads may sleep in several calls; of each there is one in the sum.  The shortest of
    ASKED times counts.  Raises kernel.NotTold, ProcessLookupError.
    """
    sleeps = {sleep.call: sleep for tid in server.tids() if (sleep := sleeping(tid))}
    return sum(min(times(*question(sleep))) for sleep in sleeps.values())


def times(prepare: Callable[[], Any], ask: Callable[[], Any]) -> Iterator[int]:
    for _ in range(TIMES_ASKED):
        prepare()
        began = time.perf_counter_ns()
        ask()
        yield time.perf_counter_ns() - began


def question(sleep: Sleep) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """(what to do before it, how to ask again what a sleeping call asks): it shall not wait."""
    call, arguments = sleep.call, sleep.arguments
    if call in ("poll", "ppoll"):
        size = 8 * arguments[1]
        entries = ctypes.create_string_buffer(own_memory(arguments[0], size), size)
        return nothing, lambda: libc.poll(entries, arguments[1], 0)
    if call in ("select", "pselect6"):
        return question_of_select(arguments)
    if call == "epoll_wait":
        answer = ctypes.create_string_buffer(16 * arguments[2])  # struct epoll_event: 12 or 16
        return nothing, lambda: libc.epoll_wait(arguments[0], answer, arguments[2], 0)
    if call == "rt_sigtimedwait":
        now = (ctypes.c_long * 2)()
        return nothing, lambda: libc.sigtimedwait(ctypes.c_void_p(arguments[0]), None, now)
    if call in ONE:
        one = ctypes.create_string_buffer(struct.pack("ihh", arguments[0], ONE[call], 0))
        return nothing, lambda: libc.poll(one, 1, 0)
    raise NotTold


def question_of_select(arguments: tuple[int, ...]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The answer overwrites the question, so that has to be written anew each time."""
    size = (arguments[0] + 63) // 64 * 8  # the kernel looks at whole words
    asked = [own_memory(address, size) if address else None for address in arguments[1:4]]
    sets = [None if one is None else ctypes.create_string_buffer(one, size) for one in asked]
    now = (ctypes.c_long * 2)()

    def prepare() -> None:
        for buffer, one in zip(sets, asked, strict=True):
            if buffer is not None and one is not None:
                buffer.raw = one

    return prepare, lambda: libc.select(arguments[0], *sets, now)


def nothing() -> None:
    pass
