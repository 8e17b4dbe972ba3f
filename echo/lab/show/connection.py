"""Two figures of a connection: its states, a lane for each end, and where its bytes are.

    seen = [("connect()", states(listener))]
    seen.append(("close()", states(listener)))
    lanes(seen)

    places([("send() says EAGAIN", {"client program": 6, "its kernel": 3, "server's kernel": 1})])

Both go from the top down by order: nothing measured in seconds is drawn.  Of bytes it is said
whether a place holds all of them, a part or nothing; how many a kernel takes differs between
machines, and from run to run.
"""

from collections.abc import Iterable, Mapping, Sequence

from echo.lab.show.paper import EDGE, LETTER, Drawing, Sheet, entry_width, flow
from echo.lab.words import amount

MOMENT_ROW = 26.0  # of one moment, in points
SLOT = 84.0  # the width of the longest name of a state, and some air
LANE_GAP = 14.0  # between two lanes
HEAD = 22.0

# how a state is drawn, and what that means; all others are those of a beginning or an end
STATE_LOOKS = {"LISTEN": "plate edge", "ESTABLISHED": "work", "CLOSE": "vain"}
LEGEND = {
    "plate edge": "waits for clients",
    "work": "open in both directions",
    "wait": "beginning or ending",
    "vain": "closed",
}
AMOUNTS = {"all": "work", "a part": "wait", "nothing": "vain"}

Seen = Sequence[tuple[str, str]]  # as states() returns it


def lanes(moments: Iterable[tuple[str, Seen]]) -> Drawing:
    """The states of a connection, or of several, moment by moment, in two lanes.

    `moments`: (what has just happened, what states() said then).  A state that lasts is one box.
    An end without a box is not in the kernel's table.  Raises ValueError if there is no moment.
    """
    table = [(moment, list(seen)) for moment, seen in moments]
    if not table:
        raise ValueError("lanes are drawn of at least one moment")
    names = list(dict.fromkeys(end for _, seen in table for end, _ in seen))
    names.sort(key=["server", "this end", "client", "other end"].index)
    columns = {
        name: slots([[s for e, s in seen if e == name] for _, seen in table]) for name in names
    }
    details = [f"{moment}: {moment_words(seen, names)}" for moment, seen in table]
    summary = f"States by order, {amount(len(table), 'moment')}: {' and '.join(names)}."
    return Drawing(summary, details, lanes_svg([moment for moment, _ in table], columns))


def moment_words(seen: Seen, names: list[str]) -> str:
    """Of one moment: "server LISTEN; client ESTABLISHED, SYN_SENT"."""
    said = []
    for name in names:
        here = [state for end, state in seen if end == name]
        said.append(f"{name} {', '.join(here) or 'not listed'}")
    return "; ".join(said)


def slots(moments: list[list[str]]) -> list[list[str]]:
    """The states of one lane, column by column; "" where there is none.

    The table does not say which entry of now was which of before.  So what is still there keeps
    its column, what is new takes one whose state is gone, and a listener has one to itself.
    """
    columns: list[list[str]] = []
    for row, states in enumerate(moments):
        left = list(states)
        changed = []
        for column in columns:
            if column[-1] in left:
                left.remove(column[-1])
                column.append(column[-1])
            else:
                changed.append(column)
        for column in changed:
            beginner = next((state for state in left if column[-1] not in ("", "LISTEN")), "")
            if beginner:
                left.remove(beginner)
            column.append(beginner)
        columns += [[""] * row + [state] for state in left]
    return columns


def runs(states: list[str]) -> list[tuple[int, int, str]]:
    """(first row, rows, state) of every stretch of the same state."""
    found: list[tuple[int, int, str]] = []
    for row, state in enumerate(states):
        if found and found[-1][2] == state:
            first, rows, _ = found.pop()
            found.append((first, rows + 1, state))
        else:
            found.append((row, 1, state))
    return [run for run in found if run[2]]


def lanes_svg(moments: list[str], columns: Mapping[str, list[list[str]]]) -> str:
    shown = {state for lane in columns.values() for column in lane for state in column if state}
    legend = [(look, LEGEND[look]) for look in LEGEND if look in {look_of(s) for s in shown}]
    margin = margin_of(moments)
    width = margin + sum(len(lane) * SLOT + LANE_GAP for lane in columns.values()) - LANE_GAP + EDGE
    width = max(width, margin + SLOT)
    with Grid(moments, width, legend) as sheet:
        left = margin
        for name, lane in columns.items():
            sheet.text(left + len(lane) * SLOT / 2, EDGE + 11, name, anchor="center", bold=True)
            for column in lane:
                for row, rows, state in runs(column):
                    legend_entry(sheet, left, row, rows, SLOT, state, look_of(state))
                left += SLOT
            left += LANE_GAP
    return sheet.svg


def look_of(state: str) -> str:
    return STATE_LOOKS.get(state, "wait")


def places(moments: Iterable[tuple[str, Mapping[str, int]]]) -> Drawing:
    """Where the bytes of a message are, moment by moment: all of them, a part or nothing.

    `moments`: (what has just happened, {place: bytes}), the same places each time.
    Raises ValueError if a moment has more or fewer bytes than the first: then some are missing
    from the account, or are in it twice.
    """
    table = [(moment, dict(held)) for moment, held in moments]
    if not table:
        raise ValueError("places are drawn of at least one moment")
    total = sum(table[0][1].values())
    for moment, held in table:
        if sum(held.values()) != total:
            raise ValueError(f"{moment}: {sum(held.values())} bytes, and there were {total}")
    names = list(table[0][1])
    rows = [[share(held[name], total) for name in names] for _, held in table]
    details = [
        f"{moment}: {', '.join(f'{name} {said}' for name, said in zip(names, row, strict=True))}"
        for (moment, _), row in zip(table, rows, strict=True)
    ]
    size = f"{total:,}".replace(",", " ")
    summary = f"Where {size} bytes are, by order, {amount(len(table), 'moment')}."
    return Drawing(summary, details, places_svg([moment for moment, _ in table], names, rows))


def share(held: int, total: int) -> str:
    return "nothing" if held == 0 else "all" if held == total else "a part"


def places_svg(moments: list[str], names: list[str], rows: list[list[str]]) -> str:
    margin = margin_of(moments)
    wide = max(SLOT, *(len(name) * LETTER * 1.1 + 8 for name in names))
    with Grid(moments, margin + len(names) * (wide + LANE_GAP) - LANE_GAP + EDGE, []) as sheet:
        for column, name in enumerate(names):
            left = margin + column * (wide + LANE_GAP)
            sheet.text(left + wide / 2, EDGE + 11, name, anchor="center", bold=True)
            for row, said in enumerate(line[column] for line in rows):
                legend_entry(sheet, left, row, 1, wide, said, AMOUNTS[said])
    return sheet.svg


# -- paper -------------------------------------------------------------------------------------


def margin_of(moments: list[str]) -> float:
    return EDGE + max(map(len, moments)) * LETTER + 12


class Grid(Sheet):
    """A sheet with a row for each moment, its name at the left, and a legend below."""

    def __init__(self, moments: list[str], width: float, legend: list[tuple[str, str]]):
        width = max([width, *(entry_width(text) + 2 * EDGE for _, text in legend)])
        self.moments, self.legend = moments, legend
        self.entries = flow([entry_width(text) for _, text in legend], width - 2 * EDGE)
        super().__init__(
            width, EDGE + HEAD + len(moments) * MOMENT_ROW + 8 + len(self.entries) * 18
        )

    def __enter__(self) -> "Grid":
        super().__enter__()
        for row, moment in enumerate(self.moments):
            top = EDGE + HEAD + row * MOMENT_ROW
            self.line(EDGE, top, self.width - EDGE, top, "faint", 0.25)
            self.text(EDGE, top + MOMENT_ROW / 2 + 3, moment)
        top = EDGE + HEAD + len(self.moments) * MOMENT_ROW + 6
        for line in self.entries:
            left = float(EDGE)
            for number in line:
                look, text = self.legend[number]
                self.box(left, top + 2, 17, 13, look)
                self.text(left + 22, top + 12, text)
                left += entry_width(text)
            top += 18
        return self


def legend_entry(
    sheet: Sheet, left: float, row: int, rows: int, wide: float, text: str, look: str
) -> None:
    """A box over some rows, and in its first one what it means."""
    top = EDGE + HEAD + row * MOMENT_ROW
    sheet.box(left + 2, top + 2.5, wide - 4, rows * MOMENT_ROW - 5, look)
    if look == "wait":  # letters on hatching cannot be read
        half = len(text) * 3.1 + 3
        sheet.box(left + wide / 2 - half, top + MOMENT_ROW / 2 - 6, 2 * half, 12, "plate")
    ink = "paper" if look == "work" else "ink"
    sheet.text(left + wide / 2, top + MOMENT_ROW / 2 + 3, text, anchor="center", ink=ink, size=8)
