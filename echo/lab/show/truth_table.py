"""What poll() says of a descriptor, flag by flag, and the table of it, drawn.

    there, here = connected()                    # the two ends of a TCP connection
    says(here)                                   # OUT
    flags(17)                                    # IN|HUP
    truth_table({"idle": says(here)})

Flags go by their names without POLL, in the order in which a tape shows them.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from echo.lab.kernel.poll import ASKED, NONE, UNASKED, names
from echo.lab.show.paper import EDGE, LETTER, Drawing, Sheet
from echo.lab.words import amount

# All lengths are points, as in paper.py.
TABLE_ROW = 22.0
FLAG_COLUMN = 46.0
ASKED_GAP = 14.0  # between what is asked for and what is not


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
    details = [f"{state + ':':{wide}} {answer_words(answer)}" for state, answer in table.items()]
    return Drawing(summary, details, table_svg(table))


def answer_words(answer: Iterable[str]) -> str:
    """Its flags in the order of the columns; those that come unasked stand apart."""
    parts = [", ".join(name for name in which if name in answer) for which in (ASKED, UNASKED)]
    return " and unasked ".join(filter(None, parts)) if parts[0] else unasked_only(parts[1])


def unasked_only(part: str) -> str:
    return f"unasked {part}" if part else NONE


def table_svg(table: Mapping[str, frozenset[str]]) -> str:
    margin = EDGE + max(map(len, table)) * LETTER + 10
    lefts: dict[str, float] = {}
    for number, name in enumerate((*ASKED, *UNASKED)):
        lefts[name] = margin + number * FLAG_COLUMN + ASKED_GAP * (name in UNASKED)
    width = max(lefts.values()) + FLAG_COLUMN + EDGE
    top = EDGE + 36
    height = top + len(table) * TABLE_ROW + EDGE
    with Sheet(width, height) as sheet:
        for which, title in ((ASKED, "told if asked for"), (UNASKED, "told unasked")):
            sheet.text(lefts[which[0]] + 2, EDGE + 9, title, bold=True)
        for name, left in lefts.items():
            sheet.text(left + FLAG_COLUMN / 2, EDGE + 28, name, anchor="center")
        for number, (state, answer) in enumerate(table.items()):
            upper = top + number * TABLE_ROW
            sheet.line(EDGE, upper, width - EDGE, upper, "faint", 0.25)
            sheet.text(EDGE, upper + TABLE_ROW / 2 + 3, state)
            for name, left in lefts.items():
                if name in answer:
                    draw_flag(sheet, name, left + 2, upper + 3)
                else:
                    sheet.text(
                        left + FLAG_COLUMN / 2, upper + TABLE_ROW / 2 + 3, "-", anchor="center"
                    )
    return sheet.svg


def draw_flag(sheet: Sheet, name: str, x: float, y: float) -> None:
    """Its name in a box: solid, or hatched around a plate."""
    high, wide = TABLE_ROW - 6, FLAG_COLUMN - 4
    sheet.box(x, y, wide, high, "work" if name in ASKED else "wait")
    if name in UNASKED:
        plate = len(name) * LETTER + 6
        sheet.box(x + (wide - plate) / 2, y + 2, plate, high - 4, "plate")
    ink = "paper" if name in ASKED else "ink"
    sheet.text(x + wide / 2, y + high / 2 + 3, name, anchor="center", ink=ink, bold=True)
