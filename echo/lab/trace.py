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

import errno
import functools
import select
import signal
import socket
import threading
from collections.abc import Callable
from threading import get_ident
from time import perf_counter
from typing import Any, NamedTuple

from echo import ring
from echo.lab import kernel
from echo.lab.background import Listener, Server, owner
from echo.lab.background import _owners as owners

WAITS = {"pselect6", "poll", "epoll_wait", "rt_sigtimedwait", "io_uring_enter"}
FLAGS = {1: "IN", 2: "PRI", 4: "OUT", 8: "ERR", 16: "HUP", 32: "NVAL", 0x2000: "RDHUP",
         1 << 28: "EXCLUSIVE", 1 << 30: "ONESHOT", 1 << 31: "ET"}  # fmt: skip


OTHER = "another descriptor"  # one that is no listener and no client
RECV, RECV_INTO, SEND = socket.socket.recv, socket.socket.recv_into, socket.socket.send
new = tuple.__new__  # makes a Call in half the time that Call() takes


class Call(NamedTuple):
    """One system call that has returned."""

    start: float  # time.perf_counter(), seconds
    end: float
    name: str  # as strace names it on x86-64
    who: str  # the socket it was made on, by role, or what a wait asked for
    result: str  # what came of it; an errno by name

    def __str__(self) -> str:
        return f"{self.name}({self.who}) = {self.result}"


class Tape(list):
    """A list of Call, in the order in which the calls returned; at most MOST of them.

    Descriptors go by their roles, "listener", "client 1", in the order of accept().
    """

    MOST = 10_000
    WHOLE = 100  # a longer tape is printed with its first and last lines only
    ENDS = 10  # so many of each

    def __init__(self) -> None:
        super().__init__()
        self.unfinished: dict[int, tuple[str, str]] = {}  # thread ident -> call, who
        self.began: dict[int, float] = {}  # thread ident -> start of its last call, as in Call
        self.blocking: set[tuple[str, str]] = set()  # call, who: a thread can sleep in it
        self.missed = 0
        self.waited = False  # whether a call was made in which a thread can sleep
        self.server: Server | None = None
        # Two hundred names take longer to write than select() takes to ask for them; and the
        # same string in all calls that ask the same takes no room.  A role is new when arrived is.
        self._sets: tuple[Any, str] = (None, "")

    def __str__(self) -> str:
        calls = list(self)
        lines = [str(call) for call in calls]
        if len(lines) > self.WHOLE:
            between = slice(self.ENDS, len(lines) - self.ENDS)
            left_out = f"... {len(calls[between])} calls, not printed: tape[10:50] are some of them"
            lines[between] = [left_out]
        if self.missed:
            lines.append(f"... and {self.missed} calls more, not kept")
        lines += self._inside()
        if not lines:
            return "(no call yet)"
        if not self.waited:
            lines.append("(no wait among them: it never sleeps, or by means that are not recorded)")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _inside(self) -> list[str]:
        """The calls that have not returned, and whether their threads are asleep."""
        if self.server is None or self.server.stopping:
            return []
        tids = {thread.ident: thread.native_id for thread in list(self.server.threads)}
        calls = sorted(self.unfinished.copy().items(), key=lambda call: in_order(call[1][1]))
        return [
            f"{name}({who}) ... {'asleep' if sleeps(tids.get(ident)) else 'running'}"
            for ident, (name, who) in calls
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
        server.listener.__class__ = TracedListener
        install(server)

    def detach(self, server: Server) -> None:
        if self.server is server:  # and not one that it was handed to in vain
            self.unfinished.clear()
        uninstall(server)

    def socket(self, sock: socket.socket) -> socket.socket:
        """The accepted socket as one whose calls are written down."""
        traced = TracedSocket(fileno=sock.detach())
        traced.tape, traced.who = self, self.role(traced)
        return traced

    def role(self, descriptor: Any) -> str:
        fd = descriptor if isinstance(descriptor, int) else descriptor.fileno()
        return self.server.roles.get(fd, OTHER)  # type: ignore[union-attr]

    def sets(self, three: Any) -> str:
        """What select() is asked or answers, by role."""
        read, write, urgent = [listing([self.role(one) for one in each]) for each in three]
        return f"{read}, {write}" if urgent == "[]" else f"{read}, {write}, {urgent}"

    def asked(self, three: Any) -> str:
        """The same of a question, which mostly is that of the last time."""
        fds = [[one if type(one) is int else fd_of(one) for one in each] for each in three]
        key = self.server.arrived, fds  # type: ignore[union-attr]
        if key != self._sets[0]:
            self._sets = key, self.sets(three)
        return self._sets[1]

    def call(
        self,
        name: str,
        who: str,
        make: Callable,
        *args: Any,
        show: Callable = str,
        blocking: bool = False,
    ) -> Any:
        """Make one call and write it down, whether it succeeds or fails.

        It is in the way of every echo, so nothing is looked up or called twice.
        """
        server, ident = self.server, get_ident()
        if server is None or server.stopping or owners.get(ident) is not server:
            return make(*args)
        if blocking or name in WAITS:
            self.waited = True
            if blocking and len(self) < self.MOST:
                self.blocking.add((name, who))
        self.began[ident] = start = perf_counter()
        self.unfinished[ident] = name, who
        try:
            value = make(*args)
        except OSError as error:
            self._write(start, name, who, errno.errorcode.get(error.errno or 0, str(error)))
            raise
        finally:
            self.unfinished.pop(ident, None)
        self._write(start, name, who, show(value))
        return value

    def wait(
        self,
        poller: Any,
        timeout: float | None,
        name: str,
        who: str,
        make: Callable,
        *args: Any,
        show: Callable = str,
    ) -> Any:
        """Make a call that waits for events.  A Stepper lets it wait to be made as well.

        `poller`: the TracedPoll or TracedEpoll that is asked, or None: the sets are in `args`.
        `timeout`: the server's own; None or negative: for ever.
        """
        return self.call(name, who, make, *args, show=show)

    def at_gate(self) -> dict[int, str]:
        """Threads that a Stepper holds: the kernel's number -> the call they are about to make."""
        return {}

    def open_gate(self, server: Server) -> None:
        """Hold none of its threads any longer: it is to stop."""

    def _write(self, start: float, name: str, who: str, result: str) -> None:
        if self.server.stopping:  # type: ignore[union-attr]
            return
        if len(self) < self.MOST:
            self.append(new(Call, (start, perf_counter(), name, who, result)))
        else:
            self.missed += 1


class TracedSocket(socket.socket):
    """An accepted socket that writes down its calls.  Python's recv() is recvfrom(2)."""

    tape: Tape
    who: str

    def recv(self, *args: Any) -> bytes:
        args, blocking = (RECV, self, *args), self.getblocking()
        return self.tape.call("recvfrom", self.who, *args, show=length, blocking=blocking)

    def recv_into(self, *args: Any) -> int:
        args, blocking = (RECV_INTO, self, *args), self.getblocking()
        return self.tape.call("recvfrom", self.who, *args, blocking=blocking)

    def send(self, *args: Any) -> int:
        args, blocking = (SEND, self, *args), self.getblocking()
        return self.tape.call("sendto", self.who, *args, blocking=blocking)

    def sendall(self, data: Any, *flags: int) -> None:
        """As in C: as many sendto() as it takes."""
        rest = memoryview(data).cast("B")
        while True:
            rest = rest[self.send(rest, *flags) :]
            if not rest:
                return

    def close(self) -> None:
        if self.fileno() >= 0:
            self.tape.call("close", self.who, super().close, show=lambda _: "0")


class TracedListener(Listener):
    def accept(self) -> tuple[socket.socket, Any]:
        assert self.server.tape is not None
        return self.server.tape.call(
            "accept4",
            "listener",
            super().accept,
            show=lambda pair: getattr(pair[0], "who", "?"),
            blocking=self.gettimeout() != 0,
        )


# -- stand-ins for the calls in which a server waits -------------------------------------------


def sleeps(tid: int | None) -> bool:
    """Whether a thread is asleep in a call; where nobody tells, as it mostly is."""
    try:
        return tid is None or kernel.asleep(tid) is not None
    except kernel.NotTold:
        return True
    except ProcessLookupError:  # it has just ended
        return False


def length(data: bytes) -> str:
    return str(len(data))


def fd_of(descriptor: Any) -> int:
    return descriptor if isinstance(descriptor, int) else descriptor.fileno()


@functools.lru_cache(maxsize=500)
def in_order(role: str) -> tuple[bool, int, str]:
    """The listener first, then the clients by number."""
    number = role.rpartition(" ")[2]
    return role != "listener", int(number) if number.isdigit() else 0, role


def listing(roles: list[str]) -> str:
    if len(roles) > 1:
        roles = sorted(roles, key=in_order)
    return f"[{', '.join(roles)}]"


@functools.lru_cache(maxsize=1000)
def flags(events: int) -> str:
    return "|".join(name for bit, name in FLAGS.items() if events & bit) or "0"


def with_flags(tape: Tape, pairs: Any) -> str:
    if len(pairs) == 1:  # mostly it is one: there is nothing to put in order
        [(fd, events)] = pairs
        return f"[{tape.server.roles.get(fd, OTHER)} {flags(events)}]"  # type: ignore[union-attr]
    roles = {tape.role(fd): flags(events) for fd, events in pairs}
    return f"[{', '.join(f'{role} {roles[role]}' for role in sorted(roles, key=in_order))}]"


def tape_of_this_thread() -> Tape | None:
    server = owner()
    return None if server is None else server.tape


def traced_select(*args: Any) -> tuple[list, list, list]:
    tape = tape_of_this_thread()
    if tape is None:
        return REAL["select"](*args)

    args = (*map(list, args[:3]), *args[3:])  # any iterable will do, and only once
    timeout = args[3] if len(args) > 3 else None
    asked = tape.asked(args[:3])
    return tape.wait(None, timeout, "pselect6", asked, REAL["select"], *args, show=tape.sets)


class TracedPoll:
    """register(), modify() and unregister() stay in our own process: nothing to write."""

    def __init__(self, tape: Tape) -> None:
        self._tape, self._real = tape, REAL["poll"]()
        self._show = functools.partial(with_flags, tape)
        self._interest: dict[int, int] = {}
        self._asked: str | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def register(self, descriptor: Any, events: int = 7) -> None:
        self._real.register(descriptor, events)
        self._note(descriptor, events)

    def modify(self, descriptor: Any, events: int) -> None:
        self._real.modify(descriptor, events)
        self._note(descriptor, events)

    def unregister(self, descriptor: Any) -> None:
        self._real.unregister(descriptor)
        self._interest.pop(fd_of(descriptor), None)
        self._asked = None

    def _note(self, descriptor: Any, events: int) -> None:
        self._interest[fd_of(descriptor)] = events
        self._asked = None

    def poll(self, *args: Any) -> list[tuple[int, int]]:
        if self._asked is None:  # written once for all calls that ask the same, as for select()
            self._asked = self._show(self._interest.items())
        timeout = args[0] if args else None
        return self._tape.wait(
            self, timeout, "poll", self._asked, self._real.poll, *args, show=self._show
        )


class TracedEpoll:
    """select.epoll cannot be subclassed, so this stands for an instance of it."""

    def __init__(self, tape: Tape, *args: Any, **options: Any) -> None:
        make = functools.partial(REAL["epoll"], *args, **options)
        self._tape, self._show = tape, functools.partial(with_flags, tape)
        self._real = tape.call("epoll_create1", "", make, show=lambda _: "epoll")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def __enter__(self) -> "TracedEpoll":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if not self._real.closed:
            self._tape.call("close", "epoll", self._real.close, show=lambda _: "0")

    def register(self, descriptor: Any, events: int = 7) -> None:
        self._control("ADD", self._real.register, descriptor, events)

    def modify(self, descriptor: Any, events: int) -> None:
        self._control("MOD", self._real.modify, descriptor, events)

    def unregister(self, descriptor: Any) -> None:
        self._control("DEL", self._real.unregister, descriptor)

    def _control(self, operation: str, function: Callable, descriptor: Any, *events: int) -> None:
        who = f"{operation} {self._tape.role(descriptor)}"
        if events:
            who += f" {flags(events[0])}"
        self._tape.call("epoll_ctl", who, function, descriptor, *events, show=lambda _: "0")

    def poll(self, *args: Any, **options: Any) -> list[tuple[int, int]]:
        poll = self._real.poll
        if args or options:
            poll = functools.partial(poll, *args, **options)
        timeout = args[0] if args else options.get("timeout")
        return self._tape.wait(self, timeout, "epoll_wait", "", poll, show=self._show)


def traced_poll() -> Any:
    tape = tape_of_this_thread()
    return REAL["poll"]() if tape is None else TracedPoll(tape)


class EpollMaker:
    """Stands for the type select.epoll: to be called, asked with isinstance(), fromfd()."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        tape = tape_of_this_thread()
        real = tape is None
        return REAL["epoll"](*args, **options) if real else TracedEpoll(tape, *args, **options)

    def __instancecheck__(self, thing: object) -> bool:
        return isinstance(thing, REAL["epoll"] | TracedEpoll)

    def __getattr__(self, name: str) -> Any:
        return getattr(REAL["epoll"], name)


def traced_sigwaitinfo(signals: Any) -> Any:
    tape = tape_of_this_thread()
    if tape is None:
        return REAL["sigwaitinfo"](signals)
    names = ", ".join(sorted(map(name_of_signal, signals)))
    return tape.call("rt_sigtimedwait", names, REAL["sigwaitinfo"], signals, show=taken)


def traced_enter(self: ring.Ring, wait: int) -> None:
    tape = tape_of_this_thread()
    if tape is None:
        REAL["enter"](self, wait)
        return
    written = self.written
    tape.call(
        "io_uring_enter",
        f"hand over {written}, wait for {wait}",
        REAL["enter"],
        *(self, wait),
        show=lambda _: str(written - self.written),
    )


def taken(info: Any) -> str:
    return name_of_signal(info.si_signo)


def name_of_signal(number: int) -> str:
    return signal.Signals(number).name


STAND_INS = {
    "select": traced_select,
    "poll": traced_poll,
    "epoll": EpollMaker(),
    "sigwaitinfo": traced_sigwaitinfo,
    "enter": traced_enter,
}
HOME = {
    "select": select,
    "poll": select,
    "epoll": select,
    "sigwaitinfo": signal,
    "enter": ring.Ring,
}
REAL = {
    name: getattr(module, name)
    for name, module in HOME.items()
    if hasattr(module, name)  # other systems lack epoll
}
_recorded: set[Server] = set()
_lock = threading.RLock()


def install(server: Server) -> None:
    with _lock:
        _recorded.add(server)
        for name in REAL:
            setattr(HOME[name], name, STAND_INS[name])
        exchange(server, REAL, STAND_INS)


def uninstall(server: Server) -> None:
    with _lock:
        _recorded.discard(server)
        if not _recorded:
            for name, real in REAL.items():
                setattr(HOME[name], name, real)
        globals_ = names_of(server)
        if not any(names_of(other) is globals_ for other in _recorded):
            exchange(server, STAND_INS, REAL)


def exchange(server: Server, old: dict[str, Any], new: dict[str, Any]) -> None:
    """Also where the server's module says `from select import epoll`."""
    names = names_of(server)
    for key, value in list(names.items()):
        for name in REAL:
            if value is old[name]:
                names[key] = new[name]


def names_of(server: Server) -> dict[str, Any]:
    return getattr(server.serve, "__globals__", {})
