"""What the frameworks of others are made of, and what becomes of minimal echo servers.

    asked = frameworks("asyncio", "Tornado", "Node.js", "Netty")
    asked                           # a table: what the kernel says of each
    asked.verdicts                  # a table: what became of it where things are hard

Each is process_of as a process of its own, gives one client its echo, and is looked at while it
sleeps (kernel.anatomy).  Then what is hard for a server is tried (HARD), and it is ended.  One
that cannot run here is shown as it was recorded.
"""

import contextlib
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from echo.lab.conformance.subject import Failed, Subject, Talker
from echo.lab.kernel.anatomy import Parts
from echo.lab.run.at_rest import at_rest
from echo.lab.run.foreign import FOREIGN, command_of, missing
from echo.lab.run.process import Process, Unusable
from echo.lab.show.anatomy import ALSO, at_least, parts_at_rest
from echo.lab.show.tables import (
    Table,
    legend_html,
    legend_text,
    marked_cells,
    table_html,
    table_text,
)

SIDE_BY_SIDE = 4  # of them at a time: a machine with two processors is busy with that
REPLY = 10.0  # seconds for an echo, on a machine with a lot to do
HARD = {  # column -> what is tried
    "last words": "a client says hello and finishes at once",
    "a reset": "a client resets its connection",
    "no descriptor": "one more client connects, and no descriptor is left",
}
ASKED_HEADS = ("framework", "sleeps in", "threads", "listener", "a client", "woken by")
VERDICTS = "What becomes of a minimal echo server on each"


class Framework(NamedTuple):
    """What was found out about a framework."""

    sleeps: str  # the call in which the thread sleeps that serves
    threads: str  # "1", "more than 3"
    listener: str  # the flags of its epoll entry
    client: str
    woken: str  # what else its epoll instance watches, so that it can be woken
    ring: bool  # whether it holds an io_uring
    did: tuple[str, ...]  # what became of each trial of HARD


# On Linux 6.18, 2026-11-28.  tests/lab/measure/test_frameworks.py asks again where it can.
WELL = ("answered", "serves on", "serves on")
IN_EPOLL = "epoll_wait"
RECORDED = {
    "asyncio": Framework(IN_EPOLL, "1", "IN", "IN", "socket pair", False, WELL),
    "Tornado": Framework(
        *(IN_EPOLL, "1", "IN", "IN", "socket pair", False), ("answered", "serves on", "spins")
    ),
    "uvloop": Framework(
        IN_EPOLL, "more than 3", "IN", "IN", "socket pair, pipe, eventfd", True, WELL
    ),
    "gevent": Framework(IN_EPOLL, "1", "IN", "IN", "eventfd", False, WELL),
    "trio": Framework(
        *(IN_EPOLL, "1", "IN|ONESHOT", "IN|ONESHOT", "socket pair", False),
        ("answered", "has ended", "serves on"),
    ),
    "Twisted": Framework(
        IN_EPOLL, "1", "IN", "IN", "pipe", False, ("lost", "serves on", "serves on")
    ),
    "Node.js": Framework(
        *(IN_EPOLL, "more than 3", "IN", "IN", "pipe, eventfd", False),
        ("answered", "has ended", "serves on"),
    ),
    "java.nio": Framework(
        *(IN_EPOLL, "more than 9", "IN", "IN", "eventfd", False),
        ("answered", "serves on", "has ended"),
    ),
    "Netty": Framework(
        *(IN_EPOLL, "more than 9", "IN", "IN", "eventfd", False),
        ("answered", "serves on", "serves no one"),
    ),
}


class Frameworks(Table):
    """What was found out about several; row("Netty").sleeps is "epoll_wait"."""

    def __init__(self, rows: dict[str, Framework], notes: str = "") -> None:
        lines = [(name, *row[:5]) for name, row in rows.items()]
        markup = table_html("What the kernel says of each framework", ASKED_HEADS, lines)
        super().__init__(rows, table_text(ASKED_HEADS, lines), [markup], notes)

    @property
    def verdicts(self) -> Table:
        """What became of each trial of HARD."""
        lines = [(name, *row.did) for name, row in self.rows.items()]
        heads = ("framework", *HARD)
        text = f"{table_text(heads, lines)}\n\n{legend_text(HARD)}"
        cells = marked_cells(heads, lines, lambda column, word: word not in WELL)
        return Table(self.rows, text, [table_html(VERDICTS, heads, cells), legend_html(HARD)])

    def stumbling(self) -> list[str]:
        """Those that did not come well through every trial."""
        return [name for name, row in self.rows.items() if row.did != WELL]


def frameworks(*names: str) -> Frameworks:
    """Start the echo server of each framework, ask the kernel about it, and judge it.

    `names`: of run.foreign.FOREIGN.  For what cannot run here the table has what was recorded,
    and one line above it, which begins `recorded:`, says so.
    Raises ValueError for a name that is not there, RuntimeError if a server fails to start.
    """
    for name in names:
        if name not in FOREIGN:
            raise ValueError(f"no framework {name!r} here, but {', '.join(FOREIGN)}")
    here = [name for name in names if missing(name) is None]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        found = dict(zip(here, pool.map(ask, here), strict=True))
    absent = [name for name in names if name not in found]
    ringless = [name for name in found if ring_expected(name) and not found[name].ring]
    notes = []
    if absent:
        notes.append(f"{one_after_another(absent)} cannot run here (`make frameworks` tells why)")
    if ringless:
        notes.append(f"{one_after_another(ringless)} cannot have an io_uring here")
    rows = {name: RECORDED[name] if name in absent + ringless else found[name] for name in names}
    return Frameworks(rows, f"recorded: {'; '.join(notes)}\n" if notes else "")


def one_after_another(names: list[str]) -> str:
    """ "one", "one and two", "one, two and three"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def ring_expected(name: str) -> bool:
    """Whether it held an io_uring where we recorded; of Node.js that depends on its version."""
    return name in RECORDED and RECORDED[name].ring


def ask(name: str) -> Framework:
    """Start one, look at it, try what is hard, and end it."""
    command = command_of(name)
    process = process_of(name, command)
    try:
        with socket.create_connection(process.address, timeout=REPLY) as client:
            client.sendall(b"hello")
            if client.recv(100) != b"hello":
                raise RuntimeError(f"{name}: its server does not echo")
            parts = parts_at_rest(process)
        did = []
        for trial in (last_words, after_a_reset, without_descriptors):
            if process.ended:
                process.end()
                process = process_of(name, command)
            subject = Subject(process)
            try:
                did.append(trial(subject))
            finally:
                subject.close()
    finally:
        process.end()
    return in_short(parts, tuple(did))


def process_of(name: str, command: str) -> Process:
    try:
        try:
            return Process(command)
        except Unusable:  # if we were stopped meanwhile, its time ran out and ours did not
            return Process(command)
    except Unusable as error:
        raise RuntimeError(f"{name}: {error}") from None


# -- trials: the hard parts of three requirements of the suite -----------------------------------


def last_words(server: Subject) -> str:
    """A message and the end of input arrive before the server looks."""
    client = server.connect()
    server.settle()
    with server.hold():
        client.says(b"hello")
        client.finishes()
    return "answered" if hears(client, b"hello") else "lost"


def after_a_reset(server: Subject) -> str:
    """The next client finds it serving, or gone."""
    client = server.connect()
    if not still_echoes(client):
        return why_silent(server)
    client.resets()
    server.settle()
    with contextlib.suppress(Failed):  # it has ended, and nobody listens
        if still_echoes(server.connect()):
            return "serves on"
    return why_silent(server)


def without_descriptors(server: Subject) -> str:
    """Who is late cannot be accepted, and keeps the listener readable."""
    client = server.connect()
    if not still_echoes(client):
        return why_silent(server)
    server.settle()  # what the clients before have left behind is closed by then
    server.run_out_of_descriptors()
    with contextlib.suppress(Failed):  # it may have ended before we were connected
        server.connect()
    server.wait(server.refused)
    spins = at_rest(server.server, REPLY)
    if not still_echoes(client):
        return why_silent(server)
    return "spins" if spins else "serves on"


def why_silent(server: Subject) -> str:
    """Why it answers no one."""
    return "has ended" if server.server.ended else "serves no one"


def still_echoes(client: Talker) -> bool:
    try:
        client.says(b"hello")
    except Failed:
        return False
    return hears(client, b"hello")


def hears(client: Talker, data: bytes) -> bool:
    try:
        client.hears(data)
    except Failed:
        return False
    return True


def in_short(parts: Parts, did: tuple[str, ...]) -> Framework:
    woken = ", ".join(kind for kind in ALSO if parts.watches(kind))
    return Framework(
        parts.serves,
        at_least(parts.threads),
        parts.watches("listener"),
        parts.watches("client"),
        woken,
        "io_uring" in parts.holds,
        did,
    )
