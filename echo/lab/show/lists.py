"""Where a server keeps the list of whom it waits for, and what travels when it waits: `lists`.

    lists(poll=tape_of_a_poll_server, epoll=tape_of_an_epoll_server)

Drawn from the tapes and from the kernel's own list (/proc/<pid>/fdinfo, proc(5)), by numbers of
entries: there is nothing in it that differs from run to run.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from echo.lab.kernel.sockets import interest_list
from echo.lab.show.paper import EDGE, LETTER, Drawing, Sheet
from echo.lab.words import amount

LISTING_WAITS = ("pselect6", "poll", "epoll_wait")

# Points, as in paper.py
PANEL = 190.0  # one server
BAND = 46.0  # the program, and the kernel
ARROW_GAP = 62.0  # between the two, where the arrows are
SQUARE, ENTRY_STEP = 8.0, 12.0  # an entry, and the next one
ENTRIES_PER_ROW = 12  # entries in a row
MOST = 24  # entries that are drawn; of more, only their number is given


class Kept(NamedTuple):
    """What was seen of one server, in entries of its list."""

    call: str  # in which it waits
    asked: int  # that its first wait on the tape has handed over, and so the program keeps
    named: int  # that the answer has named
    kernel: int  # that the kernel keeps between two waits

    def words(self) -> str:
        return (
            f"the program keeps {entry_count(self.asked)}, "
            f"{self.call} hands over {self.asked or 'none'} and reports {self.named or 'none'}, "
            f"the kernel keeps {entry_count(self.kernel)}"
        )


def entry_count(number: int) -> str:
    return amount(number, "entry") if number else "none"


def lists(**tapes: Any) -> Drawing:
    """The list of whom to wait for: who keeps it, what a wait hands over, what it brings back.

    `tapes`: name -> the Tape of a server on select, poll or epoll that still runs; its first
    wait counts.  Raises TypeError without a tape, ValueError for one on which nobody waits.
    """
    if not tapes:
        raise TypeError("lists() needs a Tape by name, or several: lists(poll=tape)")
    seen = {name: kept(name, tape) for name, tape in tapes.items()}
    details = [f"{name}: {one.words()}" for name, one in seen.items()]
    return Drawing("Who keeps the list, and what one wait passes.", details, lists_svg(seen))


def kept(name: str, tape: Any) -> Kept:
    call = next((call for call in tape if call.name in LISTING_WAITS), None)
    if call is None:
        raise ValueError(f"the tape {name!r} has no wait")
    asked, named = (
        len(held) if isinstance(held, dict) else 0 for held in (call.asked, call.answer)
    )
    in_kernel = len(interest_list(tape.server)) if call.name == "epoll_wait" else 0
    return Kept(call.name, asked, named, in_kernel)


def lists_svg(seen: Mapping[str, Kept]) -> str:
    margin = EDGE + 8 * LETTER
    width = margin + len(seen) * PANEL + EDGE
    program, kernel = EDGE + 20.0, EDGE + 20.0 + BAND + ARROW_GAP
    with Sheet(width, kernel + BAND + EDGE) as sheet:
        for top, word in ((program, "program"), (kernel, "kernel")):
            sheet.text(EDGE, top + BAND / 2 + 3, word)
        for number, (name, one) in enumerate(seen.items()):
            left = margin + number * PANEL
            sheet.text(left, EDGE + 11, name, bold=True)
            for top, held in ((program, one.asked), (kernel, one.kernel)):
                sheet.box(left, top, PANEL - 20, BAND, "plate edge")
                squares(sheet, left + 10, top + 10, held)
            arrows(sheet, left, program + BAND, kernel, one)
    return sheet.svg


def squares(sheet: Sheet, left: float, top: float, number: int) -> None:
    """One for each entry, or how many there are."""
    if not 0 < number <= MOST:
        sheet.text(left, top + 16, entry_count(number), ink="faint" if not number else "ink")
        return
    for place in range(number):
        row, column = divmod(place, ENTRIES_PER_ROW)
        sheet.box(left + column * ENTRY_STEP, top + row * ENTRY_STEP, SQUARE, SQUARE, "work")


def arrows(sheet: Sheet, left: float, top: float, bottom: float, one: Kept) -> None:
    """What the call takes down and what it brings up; no arrow where that is nothing."""
    middle = (top + bottom) / 2
    down, up = left + 10, left + 90
    if one.asked:
        sheet.line(down, top + 4, down, bottom - 6, "ink", 2)
        sheet.triangle(down, bottom - 2)
    sheet.text(down + 8, middle - 4, "hands over")
    sheet.text(down + 8, middle + 9, entry_count(one.asked))
    if one.named:
        sheet.line(up, bottom - 4, up, top + 6, "ink", 2)
        for side in (-3, 3):
            sheet.line(up, top + 3, up + side, top + 9, "ink", 1.5)
    sheet.text(up + 8, middle - 4, "reports")
    sheet.text(up + 8, middle + 9, entry_count(one.named))
