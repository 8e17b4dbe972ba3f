"""What was seen of a thread in one phase of a read."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from echo.lab.record.calls import Call
from echo.lab.words import amount

OFTEN = 100  # how often something happened: beyond this the number differs from run to run


class Phase(NamedTuple):
    """What was seen of a thread in one phase of a read; what was not looked at stays empty."""

    where: str = ""  # what where_is() said
    calls: Iterable[Any] = ()  # names of system calls, or what a tape holds
    unread: int | tuple[int, int] | None = None  # bytes in the kernel; (before, after)


PHASE_STATES = {"wait": "asleep", "work": "at work", "vain": "neither asleep nor at work"}


def phase_state(phase: Phase) -> str:
    """How a phase is drawn; what the thread was seen to do decides."""
    if "asleep" in phase.where:
        return "wait"
    return "work" if phase.calls or "running" in phase.where else "vain"


def phase_words(phase: Phase) -> list[str]:
    """What was seen in a phase, line by line; the first says what the thread does."""
    lines = [phase.where or PHASE_STATES[phase_state(phase)]]
    if calls := listed_calls(phase.calls):
        lines.append(f"calls {calls}")
    elif phase_state(phase) == "vain":
        lines.append("makes no call")
    if isinstance(phase.unread, tuple):
        before, after = phase.unread
        lines.append(f"kernel holds {amount(before, 'byte')}, then {after}")
    elif phase.unread is not None:
        lines.append(f"kernel holds {amount(phase.unread, 'byte')}")
    return lines


def listed_calls(calls: Iterable[Any]) -> str:
    """Names of calls in their order, each once, and how often."""
    times: dict[str, int] = {}
    for call in calls:
        name = getattr(call, "name", call)
        if isinstance(call, Call) and call.failed():
            name += f" = {call.result}"
        times[name] = times.get(name, 0) + 1

    def often(number: int) -> str:
        if number > OFTEN:
            return f" more than {OFTEN} times"
        return f" {number} times" if number > 1 else ""

    return ", ".join(f"{name}{often(number)}" for name, number in times.items())
