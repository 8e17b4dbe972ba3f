"""Figures drawn from what was recorded: `timeline` of tapes, and `five_models` of waiting.

    tape = Tape()
    with start(select_server.serve, tape) as server:
        ...
        timeline(tape)                                  # one tape
    timeline(blocking=one_tape, select=another)         # several, side by side

A figure is SVG on paper of its own, the same bytes on every run: nothing measured is drawn, only
the order of calls.  Its words, for a terminal, for a screen reader and for the test that compares,
are made from the same steps as the drawing.  What colour tells is told by shape or letters too.
"""

import itertools
from collections.abc import Iterable, Mapping
from select import POLLIN, POLLOUT
from typing import Any, NamedTuple

from echo.lab.record.calls import Events
from echo.lab.record.phase import OFTEN
from echo.lab.show.paper import (
    EDGE,
    GAP,
    LETTER,
    SMALL,
    Drawing,
    Sheet,
    disc,
    entry_width,
    flow,
    plate,
)
from echo.lab.show.steps import EPOLL_LANE, Step, people, steps_of
from echo.lab.words import amount, in_order

COLUMN = 18  # of one call
LANE = 38  # of one client
PER_ROW = 28  # columns side by side, in a window of 1280 pixels; what is longer goes on below
MOST_STEPS = 56  # in one figure, shared by its tapes
MOST_LANES = 12
LONGEST_LABEL = 18  # letters: "clients 12 to 1000"


# -- timeline ----------------------------------------------------------------------------------


def timeline(tape: Any = None, /, **tapes: Any) -> Drawing:
    """The calls of a Tape in their order, one lane a client; several tapes stand side by side.

    There is no clock: a column is one call.  A call that waits for a client covers the lanes of
    all for whom it waits; a sendto() that has returned is not drawn so, though it may have slept.
    What is drawn is what the tape holds now.
    Raises TypeError for what is no tape.
    """
    if tape is not None:
        server = getattr(tape, "server", None)
        tapes = {"" if server is None else server.name: tape, **tapes}
    if not tapes:
        raise TypeError("a timeline needs a Tape, or several by name: timeline(select=tape)")
    named: dict[str, list[Step]] = {}
    left_out: dict[str, int] = {}
    for name, one in tapes.items():
        if not isinstance(one, list):
            raise TypeError(f"a timeline is drawn of a Tape, not of {one!r}")
        steps = steps_of(one)
        named[name] = steps[: MOST_STEPS // len(tapes)]
        left_out[name] = len(steps) - len(named[name]) + getattr(one, "missed", 0)
    return Drawing(
        timeline_summary(named), timeline_words(named, left_out), timeline_svg(named, left_out)
    )


def timeline_summary(named: Mapping[str, list[Step]]) -> str:
    parts = []
    for name, steps in named.items():
        title = f"{name}: " if name else ""
        returned = [step for step in steps if not step.asleep]
        waits = sum(step.kind == "wait" for step in returned)
        said = f"{title}{amount(len(returned), 'call')}"
        if any(step.again for step in steps):
            said += ", some of them made again and again"
        if waits:
            said += f", {amount(waits, 'wait')} among them"
        if asleep := [step for step in steps if step.asleep]:
            said += f", then asleep in {' and '.join(dict.fromkeys(step.name for step in asleep))}"
        parts.append(said)
    return f"Timeline by order. {'; '.join(parts)}."


def timeline_words(named: Mapping[str, list[Step]], left_out: Mapping[str, int]) -> list[str]:
    lines = []
    for name, steps in named.items():
        if len(named) > 1:
            lines.append(f"{name}:")
        lines += [f"{number:3} {step.words()}" for number, step in enumerate(steps, 1)]
        if left_out[name]:
            lines.append(more(left_out[name]))
        if not steps:
            lines.append("no call yet")
        if is_late(steps):
            lines.append(JOINED_LATE)
    return lines


JOINED_LATE = "epoll_wait may also wait for others, added before this tape begins"


def is_late(steps: list[Step]) -> bool:
    """Whether the interest list of epoll was begun before the tape, or the tape cleared since."""
    names = [step.name for step in steps]
    return "epoll_wait" in names and "epoll_create1" not in names


def more(number: int) -> str:
    return f"and {amount(number, 'call') if number <= OFTEN else f'more than {OFTEN} calls'} more"


class Strip(NamedTuple):
    """Columns [first:end] of one tape, as they stand beside others."""

    title: str
    steps: list[Step]
    first: int
    end: int

    def width(self) -> float:
        return max((self.end - self.first) * COLUMN, len(self.title) * LETTER * 1.15)


def panels_of(named: Mapping[str, list[Step]], left_out: Mapping[str, int]) -> list[list[Strip]]:
    """Rows of panels: as many columns beside each other as can be read."""
    rows: list[list[Strip]] = [[]]
    room = float(PER_ROW * COLUMN)
    for name, steps in named.items():
        for first in range(0, max(len(steps), 1), PER_ROW):
            end = min(first + PER_ROW, len(steps))
            last = f" ... {more(left_out[name])}" if left_out[name] and end == len(steps) else ""
            title = f"{name}{', continued' if first else ''}{last}".removeprefix(", ")
            panel = Strip(title, steps, first, end)
            if rows[-1] and panel.width() > room:
                rows.append([])
                room = float(PER_ROW * COLUMN)
            rows[-1].append(panel)
            room -= panel.width() + GAP
    return rows


def lanes_of(named: Iterable[list[Step]]) -> list[str]:
    """Every lane of every tape, in order."""
    lanes: set[str] = set()
    for step in itertools.chain(*named):
        lanes.update(step.asked, step.answer, filter(None, [step.client]))
    return sorted(lanes or {"listener"}, key=lambda lane: (lane != EPOLL_LANE, in_order(lane)))


def life(steps: list[Step], lane: str) -> tuple[int, int] | None:
    """The columns in which a lane's socket is open, as far as the tape tells; None if never."""
    first = end = None
    for column, step in enumerate(steps):
        if lane == step.client:
            first = column + 1
        elif lane in step.asked or lane in step.answer:
            first = 0 if first is None else first
            if step.name == "close":
                end = column + 1
    return None if first is None else (first, len(steps) if end is None else end)


def timeline_svg(named: Mapping[str, list[Step]], left_out: Mapping[str, int]) -> str:
    lanes = lanes_of(named.values())
    row_of = {lane: min(number, MOST_LANES - 1) for number, lane in enumerate(lanes)}
    labels = lanes[:MOST_LANES]
    if len(lanes) > MOST_LANES:
        rest = lanes[MOST_LANES - 1 :]
        told = people(rest)
        labels[-1] = told if len(told) <= LONGEST_LABEL else amount(len(rest), "client")
    margin = EDGE + max(map(len, labels)) * LETTER + 6
    rows = panels_of(named, left_out)
    legend = legend_of([step for steps in named.values() for step in steps])
    if any(map(is_late, named.values())):
        legend.append(("", JOINED_LATE))

    width = max(margin + sum(panel.width() + GAP for panel in row) - GAP + EDGE + 4 for row in rows)
    width = max(width, 330.0, *(entry_width(text) for _, text in legend))
    heads = [head_of(row) for row in rows]
    legend_rows = flow([entry_width(text) for _, text in legend], width - 2 * EDGE)
    below = len(labels) * LANE + 16 + 10
    height = EDGE + sum(head + below for head in heads) + len(legend_rows) * 18 + 2

    with Sheet(width, height) as sheet:
        top = float(EDGE)
        for row, head in zip(rows, heads, strict=True):
            lanes_top = top + head
            for number, label in enumerate(labels):
                sheet.text(EDGE, lanes_top + (number + 0.5) * LANE + 3, label)
            left = margin
            for panel in row:
                if panel.title:
                    sheet.text(left, top + 11, panel.title, bold=True)
                draw_panel(sheet, panel, left, lanes_top, row_of, len(labels))
                left += panel.width() + GAP
            top = lanes_top + below
        for entries in legend_rows:
            left = EDGE
            for entry in entries:
                draw_key(sheet, legend[entry][0], left, top + 2)
                indent = 22 if legend[entry][0] else 0
                sheet.text(left + indent, top + 12, legend[entry][1])
                left += entry_width(legend[entry][1])
            top += 18
    return sheet.svg


def head_of(row: list[Strip]) -> float:
    """The height above the lanes: titles, and the names of the calls, which stand upright."""
    names = [step.heading() for panel in row for step in panel.steps[panel.first : panel.end]]
    title = 18 if any(panel.title for panel in row) else 4
    return title + max((len(name) for name in names), default=0) * LETTER + 6


def draw_panel(
    sheet: "Sheet", panel: Strip, left: float, top: float, row_of: dict[str, int], rows: int
) -> None:
    """The lanes of one tape: first who is there, then the calls."""
    steps, first, end = panel.steps, panel.first, panel.end

    def x(column: float) -> float:
        return left + (min(max(column, first), end) - first) * COLUMN

    def middle(lane: str) -> float:
        return top + (row_of[lane] + 0.5) * LANE

    for lane in row_of:
        there = life(steps, lane)
        if there is not None and there[0] < end and there[1] > first:
            sheet.line(x(there[0]), middle(lane), x(there[1]), middle(lane), "faint", 1)
    for row in range(rows + 1):
        sheet.line(x(first), top + row * LANE, x(end), top + row * LANE, "faint", 0.25)
    for column in range(first, end):
        step = steps[column]
        sheet.text(x(column + 0.5) + 3, top - 4, step.heading(), upright=True)
        number = str(column + 1)
        sheet.text(x(column + 0.5), top + rows * LANE + 11, number, anchor="center", ink="faint")
        begin, side = x(step.first) + 1.5, x(end if step.asleep else column + 1) - 1.5
        centre = x(column + 0.5)
        used = sorted({row_of[lane] for lane in step.asked})
        blocks = blocks_of(used)
        if len(blocks) > 1:
            sheet.line(centre, top + used[0] * LANE + 9, centre, top + used[-1] * LANE + 9, "hatch")
        for block in blocks:
            upper, high = top + block[0] * LANE + 3, len(block) * LANE - 6
            sheet.box(begin, upper, side - begin, high, step.kind)
        for row, what in by_row(step.asked, row_of).items():
            if what & POLLOUT:
                plate(sheet, centre, top + (row + 0.5) * LANE - 8.5, "w")
        for row, what in by_row(step.answer, row_of).items():
            disc(sheet, centre, top + (row + 0.5) * LANE + (6 if row in used else 0), mark(what))
        for lane in step.asked:
            inside(sheet, step, centre, middle(lane))
            if step.kind == "wait":
                break  # once is enough for one call
    for column in range(first, end):
        if client := steps[column].client:
            arrow(sheet, x(column + 1), middle("listener"), middle(client))


def by_row(said: Events, row_of: dict[str, int]) -> dict[int, int]:
    """What is said of the lanes in a row; in the last one, several may stand."""
    rows: dict[int, int] = {}
    for lane, what in said.items():
        rows[row_of[lane]] = rows.get(row_of[lane], 0) | what
    return rows


def blocks_of(rows: list[int]) -> list[list[int]]:
    """Runs of neighbours: [0, 1, 3] is [0, 1] and [3]."""
    runs = itertools.groupby(enumerate(rows), key=lambda pair: pair[1] - pair[0])
    return [[row for _, row in run] for _, run in runs]


def inside(sheet: "Sheet", step: Step, x: float, y: float) -> None:
    """What stands in the box of a call: its result, if it is short, or that it sleeps."""
    text = "asleep" if step.asleep else "" if len(step.result) > 6 else step.result
    if not text or step.kind == "vain" or step.client:
        return
    ink = "paper" if step.kind == "work" else "ink"
    if len(text) <= 2:
        if step.kind == "wait":
            plate(sheet, x, y, text)
        else:
            sheet.text(x, y + 3, text, anchor="center", ink=ink)
        return
    long = len(text) * 5.3 + 2
    if step.kind == "wait":
        sheet.box(x - 5.5, y - long / 2, 11, long, "plate")
    sheet.text(x + 3, y, text, anchor="center", ink=ink, upright=True, size=SMALL)


def mark(answer: int) -> str:
    """The letters that stand for an answer; "!" for all that is neither R nor W."""
    letters = "R" * bool(answer & POLLIN) + "W" * bool(answer & POLLOUT)
    return letters + "!" * bool(answer & ~(POLLIN | POLLOUT))


def arrow(sheet: "Sheet", x: float, start: float, end: float) -> None:
    """From the listener to the lane of a new client."""
    if start != end:
        sheet.line(x, start, x, end - 5, "ink", 1.2)
        sheet.triangle(x, end)


def legend_of(steps: list[Step]) -> list[tuple[str, str]]:
    """What is used of (what it looks like, what it means)."""
    answers = {mark(what) for step in steps for what in step.answer.values()}
    letters = "".join(answers)
    asked = [what for step in steps if step.kind == "wait" for what in step.asked.values()]
    return [
        (key, text)
        for key, text, used in (
            ("wait", "waits for a client", any(step.kind == "wait" for step in steps)),
            ("work", "works", any(step.kind == "work" for step in steps)),
            ("vain", "failed: EAGAIN", any(step.kind == "vain" for step in steps)),
            ("R", "answer: readable", "R" in letters),
            ("W", "answer: writable", "W" in letters),
            ("!", "answer: something else", "!" in letters),
            ("w", "asked about writing", any(what & POLLOUT for what in asked)),
            ("new", "a new client", any(step.client for step in steps)),
        )
        if used
    ]


def draw_key(sheet: "Sheet", key: str, x: float, y: float) -> None:
    if key in ("wait", "work", "vain"):
        sheet.box(x, y, 17, 13, key)
    elif key == "new":
        sheet.line(x + 8, y, x + 8, y + 8, "ink", 1.2)
        sheet.triangle(x + 8, y + 13)
    elif key == "w":
        sheet.box(x, y, 17, 13, "wait")
        plate(sheet, x + 8.5, y + 6.5, key)
    elif key:
        disc(sheet, x + 8.5, y + 7, key)
