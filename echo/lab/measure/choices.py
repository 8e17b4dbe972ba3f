"""Is this server right for this job?  The check of an exercise; it measures before it answers.

check_choice(chat="epoll", reports="threaded", tool="select")
"""

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

from echo.__main__ import NEEDS, SERVERS
from echo.lab.measure.comparison import LIMIT, measured, room_for_many
from echo.lab.run.faults import more_descriptors


class Need(NamedTuple):
    """What a job asks for: a column of compare(), the words that will do, and why."""

    column: str
    suits: Callable[[str], bool]
    otherwise: str


def is_one_of(*words: str) -> Callable[[str], bool]:
    return lambda word: word in words


ASLEEP = Need("idle", is_one_of("asleep"), "it keeps a processor busy while no client sends")
TOGETHER = Need(
    "list",
    lambda word: word != "nobody: one at a time",
    "it serves one client at a time, and the others wait",
)
JOBS = {
    "chat": [
        ASLEEP,
        TOGETHER,
        Need("threads", is_one_of("1"), "10,000 threads take more than 64 MB, at kilobytes each"),
        Need(
            "high", is_one_of("served"), "it cannot serve a client whose descriptor is above 1023"
        ),
        Need("one wait", is_one_of("flat"), "each wait pays for all the idle clients"),
    ],
    "reports": [
        TOGETHER,
        Need(
            "threads",
            lambda word: word.isdigit() and int(word) > 1,
            "its only thread is inside the library, and all other clients wait",
        ),
    ],
    "tool": [
        Need("systems", is_one_of("all"), "it does not run on every system"),
        TOGETHER,
        ASLEEP,
    ],
}
LACKING = {
    "poll": "Python has no poll() on Windows",
    "epoll": "it needs Linux",
}  # what NEEDS says, in words
TIRED = {"sigio": "after each signal it asks every client: one call or more for each"}


def check_choice(**answers: Any) -> None:
    """Measure each server that was chosen, and say whether it suits its job, and if not, why.

    `answers`: job -> the name of a server, as `python -m echo` knows it; `...` where there is
    none yet.  What compare() says of each is measured again.
    """
    if ... in answers.values():
        print("Not attempted yet: replace each ... by the name of a server, in quotes.")
        return
    right = 0
    for job, answer in answers.items():
        name = name_given(answer)
        if name not in SERVERS:
            print(f"{job:8} {answer!r} is not one of our servers: {', '.join(SERVERS)}")
            continue
        reason = objection(job, name)
        right += reason is None
        print(f"{job:8} {name}: {'suits' if reason is None else f'no, {reason}'}")
    if right == len(answers):
        print(f"\nRight: {right} of {right}.")
    else:
        source = "What is in parentheses comes from the table of compare()."
        print(f"\n{right} of {len(answers)} so far. {source}")


def name_given(answer: Any) -> str:
    """ "epoll", of "epoll", "Epoll ", "epoll_server" or the module."""
    text = answer if isinstance(answer, str) else getattr(answer, "__name__", "")
    return text.strip().lower().rpartition(".")[2].removesuffix("_server")


def objection(job: str, name: str) -> str | None:
    """Why it does not suit, with the word that was measured; None if it does."""
    row = {"systems": LACKING.get(NEEDS.get(name, ""), "all")}
    for need in JOBS[job]:
        if need.column not in row:
            row |= measure(name, waits=any(need.column == "one wait" for need in JOBS[job]))
        word = row[need.column]
        if not need.suits(word) and word not in ("not asked", "not told"):
            if need.column == "systems":  # no column of the table
                return f"{need.otherwise}: {word}"
            return f'{need.otherwise} ("{need.column}": {word})'
    return TIRED.get(name) if job == "chat" else None


def measure(name: str, waits: bool) -> dict[str, str]:
    """The row of a server in the table of compare(); what a wait costs only if it matters."""
    serve = importlib.import_module(f"echo.{name}_server").serve
    with more_descriptors(LIMIT):
        many, lowest = room_for_many()
        return measured(serve, many if waits else 0, lowest)
