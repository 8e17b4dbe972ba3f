"""What poll() says of a descriptor, flag by flag, and the table of it.

    there, here = connected()                    # the two ends of a TCP connection
    says(here)                                   # OUT
    flags(17)                                    # IN|HUP
    truth_table({"idle": says(here)})

Flags go by their names without POLL, in the order in which a tape shows them.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from echo.lab.display import Shown
from echo.lab.kernel.poll import ASKED, NONE, UNASKED, names
from echo.lab.show.tables import Cell, table_html
from echo.lab.words import amount

GROUPS = {"reported if asked for": (ASKED, "work"), "reported unasked": (UNASKED, "wait")}


def truth_table(rows: Mapping[str, Any]) -> Shown:
    """What poll() says in each state, a row each.

    `rows`: name of a state -> what says() has said.  A flag that has to be asked for stands on
    blue, one that comes unasked on yellow.  Raises TypeError if there is no row, ValueError for
    a name that is no flag.
    """
    if not rows:
        raise TypeError("a truth table needs rows: truth_table({'idle': says(sock)})")
    table = {state: names(answer) for state, answer in rows.items()}
    for state, answer in table.items():
        if unknown := answer - {*ASKED, *UNASKED}:
            raise ValueError(f"{state}: {', '.join(sorted(unknown))} is not a flag of poll()")
    states = amount(len(table), "state")
    summary = f"What poll() says in {states}, when it is asked for {', '.join(ASKED)}."
    wide = max(map(len, table)) + 1
    details = [f"{state + ':':{wide}} {answer_words(answer)}" for state, answer in table.items()]
    groups = [Cell(name, columns=len(flags)) for name, (flags, _) in GROUPS.items()]
    heads = ["", *ASKED, *UNASKED]
    cells = [[Cell(state), *flag_cells(answer)] for state, answer in table.items()]
    return Shown(
        "\n".join([summary, *details]), table_html(summary, heads, cells, [Cell(""), *groups])
    )


def flag_cells(answer: frozenset[str]) -> list[Cell]:
    """Its flags in the columns; a dash where one is missing."""
    return [
        Cell(name, look) if name in answer else Cell("-")
        for flags, look in GROUPS.values()
        for name in flags
    ]


def answer_words(answer: Iterable[str]) -> str:
    """Its flags in the order of the columns; those that come unasked stand apart."""
    parts = [", ".join(name for name in which if name in answer) for which in (ASKED, UNASKED)]
    return " and unasked ".join(filter(None, parts)) if parts[0] else unasked_only(parts[1])


def unasked_only(part: str) -> str:
    return f"unasked {part}" if part else NONE
