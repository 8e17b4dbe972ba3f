"""What a tape holds: a system call as data, put into words only where it is printed or drawn.

call.asked     {"listener": 1, "client 1": 5}     # a wait: whom for what, in the flags of poll()
call.answer    {"client 1": 1}                    # who was ready, and for what
str(call)      poll([listener IN, client 1 IN|OUT]) = [client 1 IN]
"""

import errno
from select import POLLIN, POLLOUT, POLLPRI
from typing import NamedTuple

from echo.lab.words import flag_names, in_order

WAITS = {"pselect6", "poll", "epoll_wait", "rt_sigtimedwait", "io_uring_enter"}
OTHER = "another descriptor"  # one that is no listener and no client

Events = dict[str, int]  # role -> events, in the flags of poll(); each select() set is one flag


class Control(NamedTuple):
    """What epoll_ctl() is asked to do."""

    operation: str  # ADD, MOD, DEL
    role: str
    events: int | None  # DEL has none

    def __str__(self) -> str:
        events = "" if self.events is None else f" {flag_names(self.events)}"
        return f"{self.operation} {self.role}{events}"


class Enter(NamedTuple):
    """What io_uring_enter() is asked to do."""

    handed_over: int  # entries of the submission queue
    wait_for: int  # completions

    def __str__(self) -> str:
        return f"hand over {self.handed_over}, wait for {self.wait_for}"


class Signals(tuple[str, ...]):
    """The names of the signals that a call waits for."""

    __slots__ = ()

    def __str__(self) -> str:
        return ", ".join(self)


class Error(NamedTuple):
    """That a call has failed, and how."""

    number: int | None  # errno; None for an error of Python's own, a time limit, say
    text: str

    def __str__(self) -> str:
        return errno.errorcode.get(self.number or 0, self.text)


Asked = str | Events | Control | Enter | Signals | None  # a role, or what a wait asks about
Answer = int | str | Events | Error | None  # a count, who has come, who is ready; None: not yet


class Call(NamedTuple):
    """One system call that has returned."""

    start: float  # time.perf_counter(), seconds
    end: float
    name: str  # as strace names it on x86-64
    asked: Asked
    answer: Answer

    @property
    def who(self) -> str:
        """The socket that it was made on, by role, or what a wait asked for."""
        return asked_words(self.name, self.asked)

    @property
    def result(self) -> str:
        """What came of it; an errno by name."""
        if isinstance(self.answer, dict):
            return asked_words(self.name, self.answer)
        return str(self.answer)

    def failed(self, number: int | None = None) -> bool:
        """Whether it has failed, with this errno if one is given."""
        error = self.answer if isinstance(self.answer, Error) else None
        return error is not None and number in (None, error.number)

    def __str__(self) -> str:
        return f"{self.name}({self.who}) = {self.result}"


def asked_words(name: str, asked: Asked) -> str:
    """What stands between the brackets of a call."""
    if not isinstance(asked, dict):
        return "" if asked is None else str(asked)
    roles = sorted(asked, key=in_order)
    if name != "pselect6":
        return f"[{', '.join(f'{role} {flag_names(asked[role])}' for role in roles)}]"
    sets = [
        f"[{', '.join(role for role in roles if asked[role] & flag)}]"
        for flag in (POLLIN, POLLOUT, POLLPRI)
    ]
    return ", ".join(sets if sets[2] != "[]" else sets[:2])
