"""What poll() says of a descriptor, flag by flag, and the table of it, drawn.

    there, here = connected()                    # the two ends of a TCP connection
    says(here)                                   # OUT
    flags(17)                                    # IN|HUP
    truth_table({"idle": says(here)})

Flags go by their names without POLL, in the order in which a tape shows them.
"""

import re
import select
import time
from collections.abc import Iterable, Mapping
from typing import Any

from echo.lab import trace
from echo.lab.background import amount
from echo.lab.figures import EDGE, LETTER, Drawing, Sheet
from echo.lab.trace import REAL

ASKED = ("IN", "OUT", "PRI", "RDHUP")  # told to who asks for them
UNASKED = ("ERR", "HUP", "NVAL")  # told to everybody, poll(2)
ALL = sum(getattr(select, f"POLL{name}", 0) for name in ASKED)
LASTS = 0.02  # seconds that an answer must stay the same: what was sent may be on its way
NONE = "nothing"  # how an answer without a flag is told

# All lengths are points, as in figures.
ROW = 22.0
COLUMN = 46.0
GAP = 14.0  # between what is asked for and what is not


class Flags(str):
    """Names of flags, "IN|OUT".  Equal to the same names in any order, or in a list or set."""

    def __repr__(self) -> str:
        return str(self)

    def __eq__(self, other: object) -> bool:
        return names(self) == names(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(names(self))

    def __contains__(self, name: object) -> bool:
        return name in names(self)

    def __iter__(self) -> Any:
        return iter(self.split("|") if names(self) else ())

    def __len__(self) -> int:
        return len(names(self))


def names(answer: object) -> frozenset[str]:
    """The names in "IN|OUT", "in out", "POLLIN", ["IN", "OUT"] or a number; "" for the unknown."""
    if isinstance(answer, int) and not isinstance(answer, bool):
        return names(str.__str__(flags(answer)))
    if isinstance(answer, str):
        words = re.findall(r"\w+", str.__str__(answer).upper())
        words = [word.removeprefix("POLL") for word in words]
        return frozenset(word for word in words if word not in ("NOTHING", "NONE", "0"))
    if isinstance(answer, list | tuple | set | frozenset):
        return frozenset().union(*map(names, answer))
    return frozenset([""])


# What poll() says of an end of a TCP connection: (bytes unread, whether the other side has
# finished sending, whether this side has, whether there is room to send) -> its answer.
# tests/test_readiness.py asks the kernel.
CASES = {
    (0, False, False, True): Flags("OUT"),
    (5, False, False, True): Flags("IN|OUT"),
    (0, False, False, False): Flags(NONE),
    (5, False, False, False): Flags("IN"),
    (0, True, False, True): Flags("IN|OUT|RDHUP"),
    (5, True, False, False): Flags("IN|RDHUP"),
    (0, False, True, True): Flags("OUT"),
    (0, False, True, False): Flags("OUT"),  # a send() fails, and need not wait for that
    (0, True, True, True): Flags("IN|OUT|HUP|RDHUP"),
}


def flags(events: int) -> Flags:
    """The names of the bits that poll() has set: flags(5) is IN|OUT."""
    return Flags(trace.flags(events) if events else NONE)


def says(descriptor: Any) -> Flags:
    """What poll() says of a socket or a descriptor if it is asked for all that can be asked.

    It does not wait for anything to become ready.  Raises ValueError for a socket object that
    is closed: it has no number any more.
    """
    poller = REAL["poll"]()
    poller.register(descriptor, ALL)
    answer, before = poller.poll(0), None
    while answer != before:
        time.sleep(LASTS)
        answer, before = poller.poll(0), answer
    return flags(answer[0][1] if answer else 0)


# -- the table ---------------------------------------------------------------------------------


def truth_table(rows: Mapping[str, Any]) -> Drawing:
    """What poll() says in each state, a row each: a figure, and the same in words.

    `rows`: name of a state -> what says() has said.  A flag that has to be asked for stands in
    a solid box, one that comes unasked in a hatched one.  Raises TypeError if there is no row,
    ValueError for a name that is no flag.
    """
    if not rows:
        raise TypeError("a truth table needs rows: truth_table({'idle': says(sock)})")
    table = {state: names(answer) for state, answer in rows.items()}
    for state, answer in table.items():
        if unknown := answer - {*ASKED, *UNASKED}:
            raise ValueError(f"{state}: {', '.join(sorted(unknown))} is no flag of poll()")
    states = amount(len(table), "state")
    summary = f"What poll() says in {states}, when it is asked for {', '.join(ASKED)}."
    wide = max(map(len, table)) + 1
    details = [f"{state + ':':{wide}} {words(answer)}" for state, answer in table.items()]
    return Drawing(summary, details, table_svg(table))


def words(answer: Iterable[str]) -> str:
    """Its flags in the order of the columns; those that come unasked stand apart."""
    parts = [", ".join(name for name in which if name in answer) for which in (ASKED, UNASKED)]
    return " and unasked ".join(filter(None, parts)) if parts[0] else unasked_only(parts[1])


def unasked_only(part: str) -> str:
    return f"unasked {part}" if part else NONE


def table_svg(table: Mapping[str, frozenset[str]]) -> str:
    margin = EDGE + max(map(len, table)) * LETTER + 10
    lefts: dict[str, float] = {}
    for number, name in enumerate((*ASKED, *UNASKED)):
        lefts[name] = margin + number * COLUMN + GAP * (name in UNASKED)
    width = max(lefts.values()) + COLUMN + EDGE
    top = EDGE + 36
    height = top + len(table) * ROW + EDGE
    with Sheet(width, height) as sheet:
        for which, title in ((ASKED, "told if asked for"), (UNASKED, "told unasked")):
            sheet.text(lefts[which[0]] + 2, EDGE + 9, title, bold=True)
        for name, left in lefts.items():
            sheet.text(left + COLUMN / 2, EDGE + 28, name, anchor="center")
        for number, (state, answer) in enumerate(table.items()):
            upper = top + number * ROW
            sheet.line(EDGE, upper, width - EDGE, upper, "faint", 0.25)
            sheet.text(EDGE, upper + ROW / 2 + 3, state)
            for name, left in lefts.items():
                if name in answer:
                    draw_flag(sheet, name, left + 2, upper + 3)
                else:
                    sheet.text(left + COLUMN / 2, upper + ROW / 2 + 3, "-", anchor="center")
    return sheet.svg


def draw_flag(sheet: Sheet, name: str, x: float, y: float) -> None:
    """Its name in a box: solid, or hatched around a plate."""
    high, wide = ROW - 6, COLUMN - 4
    sheet.box(x, y, wide, high, "work" if name in ASKED else "wait")
    if name in UNASKED:
        plate = len(name) * LETTER + 6
        sheet.box(x + (wide - plate) / 2, y + 2, plate, high - 4, "plate")
    ink = "paper" if name in ASKED else "ink"
    sheet.text(x + wide / 2, y + high / 2 + 3, name, anchor="center", ink=ink, bold=True)
