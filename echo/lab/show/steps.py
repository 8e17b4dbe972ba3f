"""What a tape tells, step by step: who was asked about, and what came of it."""

import itertools
from collections.abc import Iterable
from errno import EAGAIN
from select import EPOLLET, POLLIN, POLLOUT, POLLPRI
from typing import Any, NamedTuple

from echo.lab.record.calls import WAITS, Answer, Asked, Call, Control, Enter, Events, asked_words
from echo.lab.words import FLAGS, amount, client_number, flag_names, in_order

EPOLL_LANE = "epoll"  # the lane of what concerns no socket, but the interest list


class Step(NamedTuple):
    """One column of a timeline: a call that has returned, or all that have not."""

    name: str
    kind: str  # "wait": it waits for a client; "work"; "vain": nothing there, EAGAIN
    asked: Events  # lane -> what the call asks about it, in flags of poll(); 0: only of it
    answer: Events = {}  # noqa: RUF012  lane -> what a wait has answered about it
    result: str = ""  # bytes, an error, whom accept4 has returned
    client: str = ""  # the lane that begins with this call, if one does
    moved: int | None = None  # bytes
    first: int = 0  # the column in which the call was made
    asleep: bool = False  # it has not returned
    again: bool = False  # and so for many times, together with its neighbours
    about: str = ""  # what else was asked for

    def heading(self) -> str:
        """What stands above the column."""
        long = f": {self.result}" if len(self.result) > 6 and not self.client else ""
        return f"{self.name}{long}{', many times' if self.again else ''}"

    def words(self) -> str:
        """The column, told."""
        if self.kind == "wait":
            said = f"{self.name} waits for {self._whom()}{self.about}"
        else:
            said = f"{self.name}{self.about}{', '.join(['', *self.asked])}"
        if self.asleep:
            return f"{said}: asleep"
        results = [f"{lane} {found(self.name, what)}" for lane, what in self.answer.items()]
        if not results and self.result:
            results = [self.result if self.moved is None else amount(self.moved, "byte")]
        if self.again:
            results.append("again and again")
        return f"{said}{': ' if results else ''}{', '.join(results)}"

    def _whom(self) -> str:
        """Whom a wait is about: for reading, unless it says otherwise."""
        kinds: dict[str, list[str]] = {}
        for lane, what in self.asked.items():
            kinds.setdefault(purpose(self.name, what), []).append(lane)
        return ", ".join(people(lanes) + what for what, lanes in kinds.items()) or "nobody"


def other_flags(name: str, events: int) -> list[str]:
    """The flags that are neither readable nor writable; how to be told (ET) is left out."""
    if name == "pselect6":  # its third set
        return ["urgent"] if events & POLLPRI else []
    rest = events & ~(POLLIN | POLLOUT | EPOLLET)
    return [flag for bit, flag in FLAGS.items() if rest & bit]


def purpose(name: str, asked: int) -> str:
    """What a wait asks about somebody, where it is more or less than to be told of bytes."""
    others = other_flags(name, asked)
    if asked & POLLOUT:
        others.insert(0, "to read and to write" if asked & POLLIN else "to write")
    elif not asked & POLLIN and others == ["urgent"]:
        others = ["urgent data"]
    return f" ({', '.join(others)})" if others else ""


def found(name: str, answer: int) -> str:
    """What a wait has found somebody to be, and the flags that have no word."""
    ready = [word for bit, word in ((POLLIN, "readable"), (POLLOUT, "writable")) if answer & bit]
    flags = other_flags(name, answer)
    if flags == ["urgent"]:
        ready, flags = [*ready, *flags], []
    parts = [f"is {' and '.join(ready)}"] if ready else []
    parts += [f"has {' and '.join(flags)}"] if flags else []
    return ", ".join(parts)


def people(lanes: Iterable[str]) -> str:
    """Roles in one phrase: "listener and clients 1 to 3"."""
    ordered = sorted(lanes, key=in_order)
    numbers = [number for lane in ordered if (number := client_number(lane))]
    parts = [
        "its interest list" if lane == EPOLL_LANE else lane
        for lane in ordered
        if not client_number(lane)
    ]
    for _, run in itertools.groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        run_ = [number for _, number in run]
        if len(run_) > 2:
            parts.append(f"clients {run_[0]} to {run_[-1]}")
        else:
            parts += [f"client {number}" for number in run_]
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def steps_of(tape: Any) -> list[Step]:
    """The calls of a tape, each as what is drawn and told of it.

    Of calls that were made in vain again and again, as often as the processor could, each
    appears once.  Calls that have not returned make the last step, one for each name.
    """
    calls: list[Call] = list(tape)
    blocking: set[tuple[str, str]] = getattr(tape, "blocking", set())
    interest = added_before(calls)  # of epoll: what the kernel has been told
    steps: list[Step] = []
    column_of: list[int] = []  # the number of a call -> its column
    ends = [call.end for call in calls]

    def began(start: float) -> int:
        number = next((n for n, end in enumerate(ends) if end > start), len(ends))
        return column_of[number] if number < len(column_of) else len(steps)

    def can_sleep(name: str, asked: Asked) -> bool:
        if isinstance(asked, Enter) and asked.wait_for == 0:
            return False
        return name in WAITS or (isinstance(asked, str) and (name, asked) in blocking)

    def step(call: Call) -> Step:
        name, asked, answer = call.name, call.asked, call.answer
        follow(interest, name, asked)
        waits = can_sleep(name, asked) and (name != "sendto" or answer is None)
        kind = "wait" if waits else "vain" if call.failed(EAGAIN) else "work"
        about = f" ({call.who})" if name in ("rt_sigtimedwait", "io_uring_enter") else ""
        return Step(
            f"{name} {asked.operation}" if isinstance(asked, Control) else name,
            kind,
            what_is_asked(name, asked, interest, steps),
            answer if isinstance(answer, dict) else {},
            result_words(call),
            answer if name == "accept4" and isinstance(answer, str) else "",
            answer if name in ("recvfrom", "sendto") and isinstance(answer, int) else None,
            began(call.start) if waits else len(steps),
            answer is None,
            about=about,
        )

    number = 0
    while number < len(calls):
        run = run_in_vain(calls, number)
        if run:
            distinct = {(call.who, call.name): call for call in calls[number : number + run]}
            column_of += [len(steps)] * run
            for key in sorted(distinct, key=lambda key: in_order(key[0])):
                steps.append(step(distinct[key])._replace(again=True, first=len(steps)))
            number += run
            continue
        column_of.append(len(steps))
        steps.append(step(calls[number]))
        number += 1

    server = getattr(tape, "server", None)
    if server is not None and not server.stopping:
        began_at, returned = dict(tape.began), len(steps)
        inside = [
            (asked_words(name, asked), Call(began_at[ident], 0, name, asked, None))
            for ident, (name, asked) in tape.unfinished.copy().items()
            if can_sleep(name, asked)  # and not a call that is under way
        ]
        for _, call in sorted(inside, key=lambda one: in_order(one[0])):
            one = step(call)
            steps.append(one._replace(first=min(one.first, returned)))
    return steps


def result_words(call: Call) -> str:
    """What came of a call, unless it is told by its lanes, or is only that it has succeeded."""
    answer: Answer = call.answer
    if answer is None or isinstance(answer, dict) or call.name == "epoll_create1":
        return ""
    if call.name == "io_uring_enter" and isinstance(answer, int):
        return f"{answer} taken" if answer else ""
    if answer != 0 or call.name in ("recvfrom", "sendto"):
        return call.result
    events = call.asked.events if isinstance(call.asked, Control) else None
    return "" if events is None else flag_names(events)


def added_before(calls: list[Call]) -> Events:
    """Who must have been in the interest list of epoll when the tape began, or was cleared."""
    added: set[str] = set()
    before: Events = {}
    for call in calls:
        known: list[str] = []
        if isinstance(call.asked, Control):
            known = [call.asked.role]
            added.update(known if call.asked.operation == "ADD" else [])
        elif call.name == "epoll_wait" and isinstance(call.answer, dict):
            known = [*call.answer]
        before.update(dict.fromkeys(set(known) - added, POLLIN))
    return before


def run_in_vain(calls: list[Call], at: int) -> int:
    """How many calls from `at` on fail with EAGAIN, if that is again and again; else 0."""
    run = list(itertools.takewhile(lambda call: call.failed(EAGAIN), calls[at:]))
    return len(run) if len(run) > 2 * len({(call.name, call.who) for call in run}) else 0


def follow(interest: Events, name: str, asked: Asked) -> None:
    """Do with the interest list what the kernel does."""
    if isinstance(asked, Control):
        if asked.events is None:
            interest.pop(asked.role, None)
        else:
            interest[asked.role] = asked.events
    elif name == "close" and isinstance(asked, str):
        interest.pop(asked, None)


def what_is_asked(name: str, asked: Asked, interest: Events, before: list[Step]) -> Events:
    """What a call asks, lane by lane, in order."""
    if isinstance(asked, dict):
        return {role: asked[role] for role in sorted(asked, key=in_order)}
    if name == "epoll_wait":
        return {role: interest[role] for role in sorted(interest, key=in_order)} or {EPOLL_LANE: 0}
    if name in WAITS:  # it is not said whom it may concern
        return dict.fromkeys(open_lanes(before), 0)
    if isinstance(asked, Control):
        return {asked.role: 0}
    return {str(asked or EPOLL_LANE): 0}


def open_lanes(steps: list[Step]) -> list[str]:
    """Who has been heard of and not been closed."""
    lanes = {"listener": None}
    for step in steps:
        lanes.update(dict.fromkeys([*step.asked, *filter(None, [step.client])]))
        if step.name == "close":
            for lane in step.asked:
                lanes.pop(lane, None)
    return sorted(lanes, key=in_order)
