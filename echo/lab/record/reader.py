"""One thread, one socket, one byte that comes late: a way to read it, looked at from outside.

    def blocking(conn):
        return conn.recv(1)

    seen = observe(blocking)        # starts it, looks, sends the byte, looks again
    seen.waiting.where              # "asleep in recvfrom"
    five_models({"blocking": seen})

    reader = Reader(blocking)       # the same by hand
    where_is(reader)
    reader.client.send(b"!")
    reader.result                   # b"!"

A way to read is a function of a connected socket that returns what it has read.  It runs as it
stands; only in front of its recv() it can be held for a moment, so that one sees what the kernel
still holds after the thread has been told and before it has copied.
"""

import functools
import os
import socket
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from echo.lab.kernel.sleep import ONE, NotTold, sleeping
from echo.lab.kernel.sockets import queues
from echo.lab.kernel.where import where_is
from echo.lab.record.calls import Asked
from echo.lab.record.phase import Phase, phase_words
from echo.lab.record.stand_ins import REAL
from echo.lab.record.tape import Tape
from echo.lab.run.ends import hang_up
from echo.lab.run.faults import Gate
from echo.lab.run.rest import settle, until
from echo.lab.run.server import Server
from echo.lab.run.threads import Crashed
from echo.lab.words import ring_refused

READS = "recvfrom"  # Python's recv()
BYTE = b"!"
ELSEWHERE = "at work on something else"  # as in waiting, where it was running
TOLD = "told that it is done"


class Observed(NamedTuple):
    """The two phases of a read, as five_models() draws them."""

    waiting: Phase
    copying: Phase

    def __str__(self) -> str:
        names = "waiting", "copying"
        pairs = zip(names, self, strict=True)
        return "\n".join(f"{name}: {'; '.join(phase_words(phase))}" for name, phase in pairs)

    def __repr__(self) -> str:
        return str(self)


# What observe() says of the lesson's readers on io_uring, by their names; a test compares.
RECORDED_READS = {
    "asynchronous": Observed(Phase("running", ("io_uring_enter",), 0), Phase(ELSEWHERE, (), 0)),
    "completion": Observed(Phase("asleep in io_uring_enter", (), 0), Phase(TOLD, (), 0)),
}
# And what Reader.others() says where it can look, before the byte has come.
OTHERS = {"posix_aio": ["read"], "asynchronous": [], "completion": []}


class GatedTape(Tape):
    """A tape whose thread can be held in front of its next recv()."""

    def __init__(self) -> None:
        super().__init__()
        self._gate = Gate()
        self._held: dict[int, str] = {}
        self.rings: list[Any] = []  # every echo.ring.Ring that was entered

    def call(
        self, name: str, asked: Asked, make: Callable[..., Any], *args: Any, **options: Any
    ) -> Any:
        if name == READS and self._gate.shut:
            tid = threading.get_native_id()
            self._held[tid] = name
            self._gate.wait()
            self._held.pop(tid, None)
        if name == "io_uring_enter" and args[0] not in self.rings:
            self.rings.append(args[0])
        return super().call(name, asked, make, *args, **options)

    def hold(self) -> None:
        """From now on nobody gets to a recv(); who is inside of one stays there."""
        self._gate.shut = True

    def open_gate(self, server: Server | None = None) -> None:
        self._gate.shut = False

    def at_gate(self) -> dict[int, str]:
        return dict(self._held)


class Reads:
    """serve(listener) made of read(conn): one client, one read, and then nothing any more."""

    def __init__(self, read: Callable[..., Any], blocking: bool) -> None:
        functools.update_wrapper(self, read)
        self.read, self.blocking = read, blocking
        self.conn: socket.socket | None = None
        self.result: Any = None
        self.done = False

    def __call__(self, listener: socket.socket) -> None:
        self.conn, _ = listener.accept()
        self.conn.setblocking(self.blocking)
        self.result = self.read(self.conn)
        self.done = True
        poller = REAL["poll"]()  # no call of the reader's, so not on its tape
        poller.register(self.conn, 0)
        poller.poll()  # sleeps until we hang up


class Reader(Server):
    """A thread that runs read(conn) for one client, which is connected and has sent nothing."""

    tape: GatedTape

    def __init__(self, read: Callable[..., Any], blocking: bool = True) -> None:
        """`blocking`: whether the socket is, when the function gets it."""
        self._reads = Reads(read, blocking)
        super().__init__(self._reads, GatedTape(), code=read)
        try:
            self.client = self.connect()
        except BaseException:
            self.end()
            raise

    @property
    def conn(self) -> socket.socket:
        """The socket from which the thread reads."""
        assert self._reads.conn is not None
        return self._reads.conn

    @property
    def result(self) -> Any:
        """What the function has returned; None before.  Raises Crashed for what it has raised."""
        if not self._reads.done:  # afterwards it only waits for us to hang up
            self.raise_crash()
        return self._reads.result

    def others(self) -> list[str]:
        """The calls in which other threads of this process sleep for the same socket.

        They need not be Python's: a library may have started them.  Where the kernel does not
        tell, what was recorded elsewhere of the lesson's readers is returned, and a line
        `recorded: ...` printed; of another reader NotTold is raised.
        """
        found = []
        for tid in map(int, os.listdir("/proc/self/task")):
            try:
                sleep = None if tid in self.tids() else sleeping(tid)
            except ProcessLookupError:
                continue
            except NotTold:
                name = getattr(self._reads.read, "__name__", "")
                if name not in OTHERS:
                    raise NotTold(NotTold.__doc__) from None
                print(f"recorded: {(NotTold.__doc__ or '').rstrip('.')}")
                return list(OTHERS[name])
            if sleep and sleep.call in ONE and sleep.arguments[0] == self.conn.fileno():
                found.append(sleep.call)
        return found

    def asked(self) -> int:
        """How many calls it has made so far."""
        return len(self.tape) + self.tape.missed

    @property
    def done(self) -> bool:
        """Whether the function has returned, or raised."""
        return self._reads.done or self.crash is not None

    def unread(self) -> int:
        """Bytes that the kernel holds for the thread (FIONREAD)."""
        return queues(self.conn).unread

    def waits(self) -> str:
        """What where_is() says, without for whom: there is nobody else."""
        return where_is(self).partition(", waiting")[0]

    def hang_up(self) -> None:
        """At the client's end too: who sleeps in recv() sleeps on when its socket is closed."""
        super().hang_up()
        for client in self.clients():
            hang_up(client)

    def end(self) -> bool:
        ended = super().end()
        if ended:
            for client in self.clients():
                socket.socket.close(client)
            for ring in self.tape.rings:
                ring.close()  # takes back what nobody waits for any longer
            self.tape.rings.clear()
        return ended


def observe(read: Callable[..., Any]) -> Observed:
    """Run a way to read, have the byte come late, and tell what was seen in both phases.

    Where io_uring is refused, what was recorded elsewhere of the lesson's own two readers on it
    is returned, and a line `recorded: ...` printed.  Raises Crashed for what the function
    raises, TimeoutError if it has not returned within 5 seconds, ValueError if what it has
    returned is not the byte.
    """
    try:
        with Reader(read) as reader:
            return observed(reader)
    except Crashed as crash:
        why = ring_refused(str(crash))
        if why and read.__name__ in RECORDED_READS:
            print(f"recorded: {why}")
            return RECORDED_READS[read.__name__]
        raise


def observed(reader: Reader) -> Observed:
    """Look at a reader that waits, send the byte, and look again."""
    reader.raise_crash()
    tape = reader.tape
    where, unread = reader.waits(), reader.unread()
    inside = where == f"asleep in {READS}"  # it will copy before it returns: no gate on the way
    tape.hold()
    settle(reader)  # who asks all the time stands at the gate now
    waiting = Phase(where, [call for call in tape if call.name != "accept4"], unread)
    tape.clear()

    reader.client.send(BYTE)
    until(lambda: tape.at_gate() or reader.done)
    arrived, held = reader.unread(), bool(tape.at_gate())
    tape.open_gate()
    until(lambda: reader.done)
    reader.raise_crash()
    if reader.result != BYTE:
        raise ValueError(f"{reader.name} returned {reader.result!r}; what came was {BYTE!r}")
    left = reader.unread()
    if READS not in tape.names():
        where = ELSEWHERE if where == "running" else TOLD
        return Observed(waiting, Phase(where, (), left))
    calls = [f"{READS} (the same call)" if inside else READS]
    # who could not be held between the phases: what is left afterwards tells nothing of them
    return Observed(waiting, Phase("", calls, (arrived, left) if held else None))
