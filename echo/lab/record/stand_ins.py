"""Stand-ins for the calls in which a server waits; they write down those of its threads."""

import functools
import select
import signal
import threading
from collections.abc import Callable
from typing import Any

from echo import ring
from echo.lab.record.calls import Control, Enter, Events, Signals
from echo.lab.run.threads import owner


def fd_of(descriptor: Any) -> int:
    return descriptor if isinstance(descriptor, int) else descriptor.fileno()


def tape_of_this_thread() -> Any:
    """The Tape of the server on whose behalf the calling thread runs, or None."""
    server = owner()
    return None if server is None else server.tape


def traced_select(*args: Any) -> Any:
    tape = tape_of_this_thread()
    if tape is None:
        return REAL["select"](*args)

    args = (*map(list, args[:3]), *args[3:])  # any iterable will do, and only once
    timeout = args[3] if len(args) > 3 else None
    asked = tape.asked(args[:3])
    return tape.wait(None, timeout, "pselect6", asked, REAL["select"], *args, found=tape.sets)


class TracedPoll:
    """register(), modify() and unregister() stay in our own process: nothing to write."""

    def __init__(self, tape: Any) -> None:
        self._tape, self.real = tape, REAL["poll"]()
        self.interest: dict[int, int] = {}  # descriptor -> events
        self._asked: Events | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def register(self, descriptor: Any, events: int = 7) -> None:
        self.real.register(descriptor, events)
        self._note(descriptor, events)

    def modify(self, descriptor: Any, events: int) -> None:
        self.real.modify(descriptor, events)
        self._note(descriptor, events)

    def unregister(self, descriptor: Any) -> None:
        self.real.unregister(descriptor)
        self.interest.pop(fd_of(descriptor), None)
        self._asked = None

    def _note(self, descriptor: Any, events: int) -> None:
        self.interest[fd_of(descriptor)] = events
        self._asked = None

    def poll(self, *args: Any) -> list[tuple[int, int]]:
        if self._asked is None:  # made once for all calls that ask the same, as for select()
            self._asked = self._tape.by_role(self.interest.items())
        timeout = args[0] if args else None
        found = self._tape.by_role
        answer: list[tuple[int, int]] = self._tape.wait(
            self, timeout, "poll", self._asked, self.real.poll, *args, found=found
        )
        return answer


class TracedEpoll:
    """select.epoll cannot be subclassed, so this stands for an instance of it."""

    def __init__(self, tape: Any, *args: Any, **options: Any) -> None:
        make = functools.partial(REAL["epoll"], *args, **options)
        self._tape = tape
        self.real = tape.call("epoll_create1", None, make, found=lambda _: "epoll")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def __enter__(self) -> "TracedEpoll":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if not self.real.closed:
            self._tape.call("close", "epoll", self.real.close, found=lambda _: 0)

    def register(self, descriptor: Any, eventmask: int = 7) -> None:
        self._control("ADD", self.real.register, descriptor, eventmask)

    def modify(self, descriptor: Any, eventmask: int) -> None:
        self._control("MOD", self.real.modify, descriptor, eventmask)

    def unregister(self, descriptor: Any) -> None:
        self._control("DEL", self.real.unregister, descriptor)

    def _control(
        self, operation: str, function: Callable[..., Any], descriptor: Any, *events: int
    ) -> None:
        asked = Control(operation, self._tape.role(descriptor), events[0] if events else None)
        self._tape.call("epoll_ctl", asked, function, descriptor, *events, found=lambda _: 0)

    def poll(self, *args: Any, **options: Any) -> list[tuple[int, int]]:
        poll = self.real.poll
        if args or options:
            poll = functools.partial(poll, *args, **options)
        timeout = args[0] if args else options.get("timeout")
        found = self._tape.by_role
        answer: list[tuple[int, int]] = self._tape.wait(
            self, timeout, "epoll_wait", None, poll, found=found
        )
        return answer


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
    asked = Signals(sorted(map(name_of_signal, signals)))
    return tape.call("rt_sigtimedwait", asked, REAL["sigwaitinfo"], signals, found=taken)


def traced_enter(self: Any, wait: int) -> None:
    tape = tape_of_this_thread()
    if tape is None:
        REAL["enter"](self, wait)
        return
    written = self.written
    tape.call(
        "io_uring_enter",
        Enter(written, wait),
        REAL["enter"],
        *(self, wait),
        found=lambda _: written - self.written,
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
ORIGINS = {
    "select": select,
    "poll": select,
    "epoll": select,
    "sigwaitinfo": signal,
    "enter": ring.Ring,
}
REAL = {
    name: getattr(module, name)
    for name, module in ORIGINS.items()
    if hasattr(module, name)  # other systems lack epoll
}
_recorded: set[Any] = set()  # servers
_lock = threading.RLock()


def install(server: Any) -> None:
    with _lock:
        _recorded.add(server)
        for name in REAL:
            setattr(ORIGINS[name], name, STAND_INS[name])
        exchange(server, REAL, STAND_INS)


def uninstall(server: Any) -> None:
    with _lock:
        _recorded.discard(server)
        if not _recorded:
            for name, real in REAL.items():
                setattr(ORIGINS[name], name, real)
        globals_ = names_of(server)
        if not any(names_of(other) is globals_ for other in _recorded):
            exchange(server, STAND_INS, REAL)


def exchange(server: Any, old: dict[str, Any], new: dict[str, Any]) -> None:
    """Also where the server's module says `from select import epoll`."""
    names = names_of(server)
    for key, value in list(names.items()):
        for name in REAL:
            if value is old[name]:
                names[key] = new[name]


def names_of(server: Any) -> dict[str, Any]:
    return getattr(server.code, "__globals__", {})
