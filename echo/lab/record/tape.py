"""Record the system calls of a running server, without a word of recording in the server.

    tape = Tape()
    with start(select_server.serve, tape) as server:
        ...
    print(tape)

A tape belongs to the threads of one server.  Its sockets write down what is asked of them,
and for as long as a taped server lives, stand-ins for select.select, select.poll, select.epoll,
signal.sigwaitinfo and our Ring.enter write down the calls of its threads and pass on everybody
else's.  What the notebook calls itself is on no tape.  Between the first call of serve() and
stop() a tape equals the list that strace(1) gives for the same calls and threads.
"""

import socket
from collections.abc import Callable, Iterable
from select import POLLIN, POLLOUT, POLLPRI
from threading import get_ident
from time import perf_counter
from typing import Any

from echo.lab.kernel.sleep import NotTold, asleep
from echo.lab.record.calls import OTHER, WAITS, Answer, Asked, Call, Error, Events, asked_words
from echo.lab.record.stand_ins import fd_of, install, uninstall
from echo.lab.run.server import Server
from echo.lab.run.threads import owners
from echo.lab.words import in_order

Socket = socket.socket  # a Tape has a method of that name
RECV, RECV_INTO, SEND = socket.socket.recv, socket.socket.recv_into, socket.socket.send
new = tuple.__new__  # makes a Call in half the time that Call() takes


class Tape(list[Call]):
    """A list of Call, in the order in which the calls returned; at most MOST of them.

    Descriptors go by their roles, "listener", "client 1", in the order of accept().
    """

    MOST = 10_000
    WHOLE = 100  # a longer tape is printed with its first and last lines only
    ENDS = 10  # so many of each

    def __init__(self) -> None:
        super().__init__()
        self.unfinished: dict[int, tuple[str, Asked]] = {}  # thread ident -> call, what it asks
        self.began: dict[int, float] = {}  # thread ident -> start of its last call, as in Call
        self.blocking: set[tuple[str, str]] = set()  # call, role: a thread can sleep in it
        self.missed = 0
        self.waited = False  # whether a call was made in which a thread can sleep
        self.server: Server | None = None
        # Two hundred roles take longer to look up than select() takes to ask for them; and the
        # same dict in all calls that ask the same takes no room.  A role is new when arrived is.
        self._sets: tuple[Any, Events] = (None, {})

    def __str__(self) -> str:
        calls = list(self)
        lines = [str(call) for call in calls]
        if len(lines) > self.WHOLE:
            between = slice(self.ENDS, len(lines) - self.ENDS)
            count = len(calls[between])
            left_out = f"... {count} calls are not printed; tape[10:50] shows some of them"
            lines[between] = [left_out]
        if self.missed:
            lines.append(f"... and {self.missed} more calls, not kept")
        lines += self._inside()
        if not lines:
            return "(no call yet)"
        if not self.waited:
            lines.append("(no wait among them: it never sleeps, or in calls that are not recorded)")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _inside(self) -> list[str]:
        """The calls that have not returned, and whether their threads are asleep."""
        if self.server is None or self.server.stopping:
            return []
        tids = {thread.ident: thread.native_id for thread in self.server.threads}
        calls = [
            (asked_words(name, asked), name, ident)
            for ident, (name, asked) in self.unfinished.copy().items()
        ]
        return [
            f"{name}({words}) ... {'asleep' if is_asleep(tids.get(ident)) else 'running'}"
            for words, name, ident in sorted(calls, key=lambda call: in_order(call[0]))
        ]

    def names(self) -> list[str]:
        """The names of the calls alone, to be counted."""
        return [call.name for call in self]

    def sleeps(self) -> list[str]:
        """The calls that have been made and have not returned."""
        return [name for name, _ in list(self.unfinished.values())]

    def clear(self) -> None:
        """Forget the calls; who is client 1 stays."""
        super().clear()
        self.missed = 0

    # -- for the server that is recorded ------------------------------------------------

    def attach(self, server: Server) -> None:
        if self.server is not None and not self.server.ended:
            raise RuntimeError(f"this tape records the {self.server.name} server; make a new one")
        self.server = server
        install(server)

    def detach(self, server: Server) -> None:
        if self.server is server:  # and not one that it was handed to in vain
            self.unfinished.clear()
        uninstall(server)

    def socket(self, sock: Socket) -> Socket:
        """The accepted socket as one whose calls are written down."""
        traced = TracedSocket(fileno=sock.detach())
        traced.tape, traced.who = self, self.role(traced)
        return traced

    def accept(
        self, listener: Socket, make: Callable[[], tuple[Socket, Any]]
    ) -> tuple[Socket, Any]:
        """The listener's accept(), written down."""
        pair: tuple[Socket, Any] = self.call(
            "accept4", "listener", make, found=role_of, blocking=listener.gettimeout() != 0
        )
        return pair

    def role(self, descriptor: Any) -> str:
        fd = descriptor if isinstance(descriptor, int) else descriptor.fileno()
        return OTHER if self.server is None else self.server.roles.get(fd, OTHER)

    def by_role(self, pairs: Iterable[tuple[Any, int]]) -> Events:
        """(descriptor, events) of each, as {role: events}."""
        found: Events = {}
        for one, events in pairs:
            role = self.role(one)
            found[role] = found.get(role, 0) | events
        return found

    def sets(self, three: Iterable[Iterable[Any]]) -> Events:
        """What select() is asked or answers: each of its sets is one flag of poll()."""
        return self.by_role(each_of_three(three))

    def asked(self, three: Iterable[Iterable[Any]]) -> Events:
        """The same of a question, which mostly is that of the last time."""
        fds = [[one if type(one) is int else fd_of(one) for one in each] for each in three]
        key = self.server.arrived if self.server else 0, fds
        if key != self._sets[0]:
            self._sets = key, self.sets(fds)
        return self._sets[1]

    def call(
        self,
        name: str,
        asked: Asked,
        make: Callable[..., Any],
        *args: Any,
        found: Callable[[Any], Answer] | None = None,
        blocking: bool = False,
    ) -> Any:
        """Make one call and write it down, whether it succeeds or fails.

        `found`: what of the value it returns is written down; by default all of it.
        It is in the way of every echo, so nothing is looked up or called twice, or put in words.
        """
        server, ident = self.server, get_ident()
        if server is None or server.stopping or owners.get(ident) is not server:
            return make(*args)
        if blocking or name in WAITS:
            self.waited = True
            if blocking and len(self) < self.MOST:
                self.blocking.add((name, asked))  # type: ignore[arg-type]  # a socket's role
        self.began[ident] = start = perf_counter()
        self.unfinished[ident] = name, asked
        try:
            value = make(*args)
        except OSError as error:
            self._write(start, name, asked, Error(error.errno, str(error)))
            raise
        finally:
            self.unfinished.pop(ident, None)
        self._write(start, name, asked, value if found is None else found(value))
        return value

    def wait(
        self,
        poller: Any,
        timeout: float | None,
        name: str,
        asked: Asked,
        make: Callable[..., Any],
        *args: Any,
        found: Callable[[Any], Answer] | None = None,
    ) -> Any:
        """Make a call that waits for events.  A Stepper lets it wait to be made as well.

        `poller`: the TracedPoll or TracedEpoll that is asked, or None: the sets are in `args`.
        `timeout`: the server's own; None or negative: forever.
        """
        return self.call(name, asked, make, *args, found=found)

    def at_gate(self) -> dict[int, str]:
        """Threads that a Stepper holds: the kernel's number -> the call they are about to make."""
        return {}

    def open_gate(self, server: Server) -> None:
        """Hold none of its threads any longer: it is to stop."""

    def _write(self, start: float, name: str, asked: Asked, answer: Answer) -> None:
        if self.server.stopping:  # type: ignore[union-attr]  # call() has asked whether it is None
            return
        if len(self) < self.MOST:
            self.append(new(Call, (start, perf_counter(), name, asked, answer)))
        else:
            self.missed += 1


class TracedSocket(socket.socket):
    """An accepted socket that writes down its calls.  Python's recv() is recvfrom(2)."""

    tape: Tape
    who: str

    def recv(self, *args: Any) -> bytes:
        args, blocking = (RECV, self, *args), self.getblocking()
        data: bytes = self.tape.call("recvfrom", self.who, *args, found=len, blocking=blocking)
        return data

    def recv_into(self, *args: Any) -> int:
        args, blocking = (RECV_INTO, self, *args), self.getblocking()
        count: int = self.tape.call("recvfrom", self.who, *args, blocking=blocking)
        return count

    def send(self, *args: Any) -> int:
        args, blocking = (SEND, self, *args), self.getblocking()
        count: int = self.tape.call("sendto", self.who, *args, blocking=blocking)
        return count

    def sendall(self, data: Any, *flags: int) -> None:
        """As in C: as many sendto() as it takes."""
        rest = memoryview(data).cast("B")
        while True:
            rest = rest[self.send(rest, *flags) :]
            if not rest:
                return

    def close(self) -> None:
        if self.fileno() >= 0:
            self.tape.call("close", self.who, super().close, found=zero)


def each_of_three(sets: Iterable[Iterable[Any]]) -> list[tuple[Any, int]]:
    """The three sets of select() as pairs: what is in them, and the flag of poll() for it."""
    flags = (POLLIN, POLLOUT, POLLPRI)
    return [(one, flag) for flag, each in zip(flags, sets, strict=True) for one in each]


def role_of(accepted: tuple[socket.socket, Any]) -> str:
    return getattr(accepted[0], "who", OTHER)


def zero(_: object) -> int:
    """What close() and epoll_ctl() return: 0."""
    return 0


def is_asleep(tid: int | None) -> bool:
    """Whether a thread is asleep in a call; where nobody tells, as it mostly is."""
    try:
        return tid is None or asleep(tid) is not None
    except NotTold:
        return True
    except ProcessLookupError:  # it has just ended
        return False
