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

import errno
import html
import io
import itertools
import logging
import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from echo.lab.background import amount
from echo.lab.trace import WAITS, in_order

# Name of a colour -> its value.  Letters have a contrast of at least 4.5 : 1 on what is below them,
# and shapes one of 3 : 1 (WCAG 2.2, 1.4.3 and 1.4.11); a test computes it.
PALETTE = {
    "paper": "#fbfbf8",
    "ink": "#1f2328",
    "faint": "#5d636b",  # numbers and lines of the second rank
    "work": "#1b4f9c",
    "wait": "#fdeccb",
    "hatch": "#8a4200",
}
STYLE = {
    "svg.hashsalt": "echo",  # names of patterns depend on it, and are random without
    "svg.fonttype": "none",  # letters stay letters: to be read aloud, searched, enlarged
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib
    "hatch.linewidth": 0.9,
}

# All lengths are points (1/72 inch); a browser shows 9 points as 12 pixels.
SIZE = 9  # of letters
LETTER = 5.8  # the width of one letter, on the safe side: the reader's font may be wider
COLUMN = 18  # of one call
LANE = 38  # of one client
GAP = 22  # between two drawings side by side
EDGE = 8
PER_ROW = 30  # columns side by side; what is longer goes on below
MOST_STEPS = 60  # in one figure, shared by its tapes
MOST_LANES = 12
MANY = 100  # how often something happened: beyond this the number differs from run to run

ERRORS = set(errno.errorcode.values())
LETTERS = {"readable": "R", "writable": "W"}
EPOLL = "epoll"  # the lane of what concerns no socket, but the interest list
FLAGS = {"IN": "readable", "OUT": "writable"}


class Drawing:
    """A figure in a notebook: SVG where there is a browser, the same in words elsewhere."""

    def __init__(self, summary: str, details: Iterable[str], svg: str):
        self.summary, self.details = summary, list(details)
        self.svg = with_words(svg, summary, self.details)

    def __str__(self) -> str:
        return "\n".join([self.summary, *self.details])

    __repr__ = __str__

    # Inline: an <img>, as JupyterLab makes of image/svg+xml, tells a screen reader nothing.
    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.svg, "text/plain": str(self)}


class Phase(NamedTuple):
    """What was seen of a thread in one phase of a read; what was not looked at stays empty."""

    where: str = ""  # what where_is() said
    calls: Iterable[Any] = ()  # names of system calls, or what a tape holds
    unread: int | tuple[int, int] | None = None  # bytes in the kernel; (before, after)


# -- from tapes to steps -----------------------------------------------------------------------


class Step(NamedTuple):
    """One column of a timeline: a call that has returned, or all that have not."""

    name: str
    kind: str  # "wait": a thread can sleep in it; "work"; "vain": nothing there, EAGAIN
    asked: dict[str, str]  # lane -> what the call asks about it, "readable", or ""
    answer: dict[str, str] = {}  # noqa: RUF012  lane -> what a wait has answered about it
    result: str = ""  # bytes, an error, whom accept4 has returned
    first: int = 0  # the column in which the call was made
    asleep: bool = False  # it has not returned
    again: bool = False  # and so for many times, together with its neighbours
    about: str = ""  # what else was asked for

    def heading(self) -> str:
        """What stands above the column."""
        long = f": {self.result}" if len(self.result) > 6 and not self.new_client() else ""
        return f"{self.name}{long}{', many times' if self.again else ''}"

    def new_client(self) -> str:
        """The lane that begins with this call, if one does."""
        return self.result if self.name == "accept4" and self.result not in ERRORS else ""

    def words(self) -> str:
        """The column, told."""
        if self.kind == "wait":
            said = f"{self.name} waits for {self._whom()}{self.about}"
        else:
            said = f"{self.name}{self.about}{', '.join(['', *self.asked])}"
        if self.asleep:
            return f"{said}: asleep"
        results = [f"{lane} {found(what)}" for lane, what in self.answer.items()]
        if not results and self.result:
            known = self.name in ("recvfrom", "sendto") and self.result.isdigit()
            unit = f" byte{'s' * (self.result != '1')}" if known else ""
            results = [f"{self.result}{unit}"]
        if self.again:
            results.append("again and again")
        return f"{said}{': ' if results else ''}{', '.join(results)}"

    def _whom(self) -> str:
        """Whom a wait is about: for reading, unless it says otherwise."""
        kinds: dict[str, list[str]] = {}
        for lane, what in self.asked.items():
            kinds.setdefault(purpose(what), []).append(lane)
        return ", ".join(people(lanes) + what for what, lanes in kinds.items()) or "nobody"


def purpose(asked: str) -> str:
    """What a wait asks about somebody, where it is more or less than to be told of bytes."""
    words = asked.split(" and ") if asked else ["readable"]
    others = [word for word in words if word not in LETTERS]
    if "writable" in words:
        others.insert(0, "to read and to write" if "readable" in words else "to write")
    elif words == ["urgent"]:
        others = ["urgent data"]
    return f" ({', '.join(others)})" if others else ""


def found(answer: str) -> str:
    """What a wait has found somebody to be, and the flags that have no word."""
    words = answer.split(" and ")
    flags = [word for word in words if word.isupper()]
    ready = " and ".join(word for word in words if word not in flags)
    return f"{f'is {ready}' if ready else ''}{', ' * bool(ready and flags)}" + (
        f"has {' and '.join(flags)}" if flags else ""
    )


def people(lanes: Iterable[str]) -> str:
    """Roles in one phrase: "listener and clients 1 to 3"."""
    ordered = [
        "its interest list" if lane == EPOLL else lane for lane in sorted(lanes, key=in_order)
    ]
    numbers = [int(lane.split()[1]) for lane in ordered if re.fullmatch(r"client \d+", lane)]
    parts = [lane for lane in ordered if not re.fullmatch(r"client \d+", lane)]
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
    calls = list(tape)
    blocking = getattr(tape, "blocking", set())
    interest = added_before(calls)  # of epoll: what the kernel has been told
    steps: list[Step] = []
    column_of: list[int] = []  # the number of a call -> its column
    ends = [call.end for call in calls]

    def began(start: float) -> int:
        number = next((n for n, end in enumerate(ends) if end > start), len(ends))
        return column_of[number] if number < len(column_of) else len(steps)

    def step(name: str, who: str, start: float, result: str | None) -> Step:
        follow(interest, name, who)
        waits = name in WAITS or ((name, who) in blocking and (name != "sendto" or result is None))
        asked, about = what_is_asked(name, who, interest, steps)
        answer = what_is_answered(name, result or "")
        kind = "wait" if waits else "vain" if result == "EAGAIN" else "work"
        told = "" if answer or result in (None, "[]", "[], []") else str(result)
        if told == "0" and name not in ("recvfrom", "sendto"):
            told = ""  # of close(): it has succeeded
        if name in ("rt_sigtimedwait", "io_uring_enter") and told:
            told = f"{told} taken" if told.isdigit() else told
        if name == "epoll_ctl":
            operation, _, events = control(who)
            name, told = f"{name} {operation}", told or events
        if name == "epoll_create1" and told == EPOLL:
            told = ""
        first = began(start) if waits else len(steps)
        return Step(name, kind, asked, answer, told, first, result is None, about=about)

    number = 0
    while number < len(calls):
        run = run_in_vain(calls, number)
        if run:
            distinct = {(call.name, call.who): call for call in calls[number : number + run]}
            column_of += [len(steps)] * run
            for key in sorted(distinct, key=lambda key: in_order(key[1])):
                one = step(*key, distinct[key].start, "EAGAIN")
                steps.append(one._replace(again=True, first=len(steps)))
            number += run
            continue
        call = calls[number]
        column_of.append(len(steps))
        steps.append(step(call.name, call.who, call.start, call.result))
        number += 1

    server = getattr(tape, "server", None)
    if server is not None and not server.stopping:
        began_at, returned = dict(tape.began), len(steps)
        for ident, (name, who) in sorted(
            tape.unfinished.copy().items(), key=lambda item: in_order(item[1][1])
        ):
            if name in WAITS or (name, who) in blocking:  # and not a call that is under way
                one = step(name, who, began_at[ident], None)
                steps.append(one._replace(first=min(one.first, returned)))
    return steps


def added_before(calls: list) -> dict[str, str]:
    """Who must have been in the interest list of epoll when the tape began, or was cleared."""
    added: set[str] = set()
    before: dict[str, str] = {}
    for call in calls:
        if call.name == "epoll_ctl":
            operation, role, _ = control(call.who)
            known = [role]
            added.update(known if operation == "ADD" else [])
        else:
            known = [*roles_in(call.result)] if call.name == "epoll_wait" else []
        before.update(dict.fromkeys(set(known) - added, "readable"))
    return before


def run_in_vain(calls: list, at: int) -> int:
    """How many calls from `at` on fail with EAGAIN, if that is again and again; else 0."""
    run = list(itertools.takewhile(lambda call: call.result == "EAGAIN", calls[at:]))
    return len(run) if len(run) > 2 * len({(call.name, call.who) for call in run}) else 0


def follow(interest: dict[str, str], name: str, who: str) -> None:
    """Do with the interest list what the kernel does."""
    if name == "epoll_ctl":
        operation, role, events = control(who)
        if operation == "DEL":
            interest.pop(role, None)
        else:
            interest[role] = meaning(events)
    elif name == "close":
        interest.pop(who, None)


def control(who: str) -> tuple[str, str, str]:
    """Of epoll_ctl's "ADD client 1 IN": operation, role, events."""
    operation, _, rest = who.partition(" ")
    role, _, events = (rest, "", "") if operation == "DEL" else rest.rpartition(" ")
    return operation, role, events


def meaning(flags: str) -> str:
    """IN|OUT in words; a flag that has none is its own name, and how to be told is left out."""
    words = [FLAGS.get(flag, flag) for flag in flags.split("|") if flag not in ("ET", "0")]
    return " and ".join(words)


def what_is_asked(
    name: str, who: str, interest: dict[str, str], before: list[Step]
) -> tuple[dict[str, str], str]:
    """What a call asks, lane by lane, and what else it asks for."""
    if name in ("pselect6", "poll"):
        return roles_in(who), ""
    if name == "epoll_wait":
        return dict(sorted(interest.items(), key=lambda item: in_order(item[0]))) or {EPOLL: ""}, ""
    if name in WAITS:  # it is not said whom it may concern
        return dict.fromkeys(open_lanes(before), ""), f" ({who})"
    if name == "epoll_ctl":
        return {control(who)[1]: ""}, ""
    return {who or EPOLL: ""}, ""


def what_is_answered(name: str, result: str) -> dict[str, str]:
    return roles_in(result) if name in ("pselect6", "poll", "epoll_wait") else {}


def roles_in(text: str) -> dict[str, str]:
    """Of "[listener, client 1], [client 1]" or "[client 1 IN|OUT]": lane -> what of it."""
    lists = re.findall(r"\[(.*?)\]", text)
    found: dict[str, list[str]] = {}
    for which, listed in zip(("readable", "writable", "urgent"), lists, strict=False):
        for item in filter(None, listed.split(", ")):
            role, _, events = item.rpartition(" ")
            if re.fullmatch(r"[A-Z|]+|0", events):
                found.setdefault(role, []).append(meaning(events))
            else:
                found.setdefault(item, []).append(which)
    return {lane: " and ".join(found[lane]) for lane in sorted(found, key=in_order)}


def open_lanes(steps: list[Step]) -> list[str]:
    """Who has been heard of and not been closed."""
    lanes = {"listener": None}
    for step in steps:
        lanes.update(dict.fromkeys([*step.asked, *filter(None, [step.new_client()])]))
        if step.name == "close":
            for lane in step.asked:
                lanes.pop(lane, None)
    return sorted(lanes, key=in_order)


# -- timeline ----------------------------------------------------------------------------------


def timeline(tape: Any = None, /, **tapes: Any) -> Drawing:
    """The calls of a Tape in their order, one lane a client; several tapes stand side by side.

    There is no clock: a column is one call.  A call in which a thread can sleep covers the
    lanes of all for whom it waits.  What is drawn is what the tape holds now.
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
            lines.append(LATE)
    return lines


LATE = "epoll_wait may also wait for others, added before this tape begins"


def is_late(steps: list[Step]) -> bool:
    """Whether the interest list of epoll was begun before the tape, or the tape cleared since."""
    names = [step.name for step in steps]
    return "epoll_wait" in names and "epoll_create1" not in names


def more(number: int) -> str:
    return f"and {amount(number, 'call') if number <= MANY else f'more than {MANY} calls'} more"


class Panel(NamedTuple):
    """Columns [first:end] of one tape, as they stand beside others."""

    title: str
    steps: list[Step]
    first: int
    end: int

    def width(self) -> float:
        return max((self.end - self.first) * COLUMN, len(self.title) * LETTER * 1.15)


def panels_of(named: Mapping[str, list[Step]], left_out: Mapping[str, int]) -> list[list[Panel]]:
    """Rows of panels: as many columns beside each other as can be read."""
    rows: list[list[Panel]] = [[]]
    room = float(PER_ROW * COLUMN)
    for name, steps in named.items():
        for first in range(0, max(len(steps), 1), PER_ROW):
            end = min(first + PER_ROW, len(steps))
            last = f" ... {more(left_out[name])}" if left_out[name] and end == len(steps) else ""
            title = f"{name}{', continued' if first else ''}{last}"
            panel = Panel(title, steps, first, end)
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
        lanes.update(step.asked, step.answer, filter(None, [step.new_client()]))
    return sorted(lanes or {"listener"}, key=lambda lane: (lane != EPOLL, in_order(lane)))


def life(steps: list[Step], lane: str) -> tuple[int, int] | None:
    """The columns in which a lane's socket is open, as far as the tape tells; None if never."""
    first = end = None
    for column, step in enumerate(steps):
        if lane == step.new_client():
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
        labels[-1] = people(lanes[MOST_LANES - 1 :])
    margin = EDGE + max(map(len, labels)) * LETTER + 6
    rows = panels_of(named, left_out)
    legend = legend_of([step for steps in named.values() for step in steps])
    if any(map(is_late, named.values())):
        legend.append(("", LATE))

    width = max(margin + sum(panel.width() + GAP for panel in row) - GAP + EDGE + 4 for row in rows)
    width = max(width, 330.0, *(entry_width(text) for _, text in legend))
    heads = [head_of(row) for row in rows]
    legend_rows = flow([entry_width(text) for _, text in legend], width - 2 * EDGE)
    below = len(labels) * LANE + 16 + 10
    height = EDGE + sum(head + below for head in heads) + len(legend_rows) * 18 + 2

    with Sheet(width, height) as sheet:
        top = EDGE
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


def head_of(row: list[Panel]) -> float:
    """The height above the lanes: titles, and the names of the calls, which stand upright."""
    names = [step.heading() for panel in row for step in panel.steps[panel.first : panel.end]]
    title = 18 if any(panel.title for panel in row) else 4
    return title + max((len(name) for name in names), default=0) * LETTER + 6


def draw_panel(
    sheet: "Sheet", panel: Panel, left: float, top: float, row_of: dict[str, int], rows: int
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
            if "writable" in what:
                at = top + (row + 0.5) * LANE - 8.5
                plate(sheet, centre, at, LETTERS["writable"].lower())
        for row, what in by_row(step.answer, row_of).items():
            disc(sheet, centre, top + (row + 0.5) * LANE + (6 if row in used else 0), mark(what))
        for lane in step.asked:
            inside(sheet, step, centre, middle(lane))
            if step.kind == "wait":
                break  # once is enough for one call
    for column in range(first, end):
        if client := steps[column].new_client():
            arrow(sheet, x(column + 1), middle("listener"), middle(client))


def by_row(said: dict[str, str], row_of: dict[str, int]) -> dict[int, str]:
    """What is said of the lanes in a row; in the last one, several may stand."""
    rows: dict[int, list[str]] = {}
    for lane, what in said.items():
        rows.setdefault(row_of[lane], []).append(what)
    return {row: " and ".join(filter(None, words)) for row, words in rows.items()}


def blocks_of(rows: list[int]) -> list[list[int]]:
    """Runs of neighbours: [0, 1, 3] is [0, 1] and [3]."""
    runs = itertools.groupby(enumerate(rows), key=lambda pair: pair[1] - pair[0])
    return [[row for _, row in run] for _, run in runs]


def inside(sheet: "Sheet", step: Step, x: float, y: float) -> None:
    """What stands in the box of a call: its result, if it is short, or that it sleeps."""
    text = "asleep" if step.asleep else "" if len(step.result) > 6 else step.result
    if not text or step.kind == "vain" or step.new_client():
        return
    ink = "paper" if step.kind == "work" else "ink"
    if len(text) <= 2:
        if step.kind == "wait":
            plate(sheet, x, y, text)
        else:
            sheet.text(x, y + 3, text, anchor="center", ink=ink)
        return
    size = 8
    long = len(text) * 5.0 + 2
    if step.kind == "wait":
        sheet.box(x - 5.5, y - long / 2, 11, long, "plate")
    sheet.text(x + 3, y, text, anchor="center", ink=ink, upright=True, size=size)


def plate(sheet: "Sheet", x: float, y: float, text: str) -> None:
    """A word or two on paper, where what is below is hatched."""
    wide = len(text) * 6.4 + 2
    sheet.box(x - wide / 2, y - 5.5, wide, 11, "plate")
    sheet.text(x, y + 3, text, anchor="center")


def disc(sheet: "Sheet", x: float, y: float, text: str) -> None:
    sheet.circle(x, y, 7.5)
    sheet.text(x, y + 2.9, text, anchor="center", ink="paper", size=8 if len(text) < 2 else 7)


def mark(what: str) -> str:
    """The letters that stand for an answer; "!" for all that is neither R nor W."""
    words = what.split(" and ")
    others = "!" if set(words) - set(LETTERS) else ""
    return "".join(letter for word, letter in LETTERS.items() if word in words) + others


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
            ("wait", "waits for these, can sleep", any(step.kind == "wait" for step in steps)),
            ("work", "works", any(step.kind == "work" for step in steps)),
            ("vain", "in vain: EAGAIN", any(step.kind == "vain" for step in steps)),
            ("R", "answer: readable", "R" in letters),
            ("W", "answer: writable", "W" in letters),
            ("!", "answer: something else", "!" in letters),
            ("w", "asked about writing", any("writable" in what for what in asked)),
            ("new", "a new client", any(step.new_client() for step in steps)),
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


def entry_width(text: str) -> float:
    return 22 + len(text) * LETTER + 12


def flow(widths: list[float], room: float) -> list[list[int]]:
    """Which entries stand in which row."""
    rows: list[list[int]] = [[]]
    left = room
    for number, width in enumerate(widths):
        if rows[-1] and width > left:
            rows.append([])
            left = room
        rows[-1].append(number)
        left -= width
    return [row for row in rows if row]


# -- the models of waiting ---------------------------------------------------------------------

PHASES = "Phase 1: waiting for data", "Phase 2: copying it to the program"


def five_models(rows: Mapping[str, tuple[Phase | str, Phase | str]]) -> Drawing:
    """Models of I/O, a row each, and what a thread does in the two phases of a read.

    `rows`: name of the model -> (waiting, copying), each a Phase as it was measured, or what
    where_is() said.  Nothing is drawn that is not in them: hatched where the thread was asleep,
    solid where it made calls or ran, hollow where it did neither.
    (The figure is that of W. R. Stevens, UNIX Network Programming, vol. 1, chapter 6.2.)
    """
    table = {
        model: [phase if isinstance(phase, Phase) else Phase(phase) for phase in phases]
        for model, phases in rows.items()
    }
    table = {
        model: [phase._replace(calls=tuple(phase.calls)) for phase in phases]
        for model, phases in table.items()
    }
    if not table or any(len(phases) != len(PHASES) for phases in table.values()):
        raise TypeError("five_models needs {model: (waiting, copying), ...}")
    details = [
        line
        for model, phases in table.items()
        for line in (
            f"{model}",
            *(
                f"  {head.partition(': ')[2]}: {'; '.join(told(phase))}"
                for head, phase in zip(PHASES, phases, strict=True)
            ),
        )
    ]
    summary = f"What a thread does in the two phases of a read, in {amount(len(table), 'model')}."
    return Drawing(summary, details, models_svg(table))


STATES = {"wait": "asleep", "work": "at work", "vain": "neither asleep nor at work"}


def state(phase: Phase) -> str:
    """How a phase is drawn; what the thread was seen to do decides."""
    if "asleep" in phase.where:
        return "wait"
    return "work" if phase.calls or "running" in phase.where else "vain"


def told(phase: Phase) -> list[str]:
    """What was seen in a phase, line by line; the first says what the thread does."""
    lines = [phase.where or STATES[state(phase)]]
    if calls := listed(phase.calls):
        lines.append(f"calls {calls}")
    elif state(phase) == "vain":
        lines.append("makes no call")
    if isinstance(phase.unread, tuple):
        before, after = phase.unread
        lines.append(f"kernel holds {amount(before, 'byte')}, then {after}")
    elif phase.unread is not None:
        lines.append(f"kernel holds {amount(phase.unread, 'byte')}")
    return lines


def listed(calls: Iterable[Any]) -> str:
    """Names of calls in their order, each once, and how often."""
    times: dict[str, int] = {}
    for call in calls:
        name = getattr(call, "name", call)
        if getattr(call, "result", "") in ERRORS:
            name += f" = {call.result}"
        times[name] = times.get(name, 0) + 1

    def often(number: int) -> str:
        if number > MANY:
            return f" more than {MANY} times"
        return f" {number} times" if number > 1 else ""

    return ", ".join(f"{name}{often(number)}" for name, number in times.items())


def models_svg(table: Mapping[str, list[Phase]]) -> str:
    names = {model: textwrap.wrap(model, 18) for model in table}
    margin = EDGE + max(len(line) for lines in names.values() for line in lines) * LETTER * 1.1 + 8
    column, strip, line_high = 232.0, 20.0, 13.0
    letters = int((column - strip - 14) / LETTER)
    texts = {
        model: [
            [
                (part, number == 0)
                for number, line in enumerate(told(phase))
                for part in textwrap.wrap(line, letters - 3 * (number == 0))
            ]
            for phase in phases
        ]
        for model, phases in table.items()
    }
    heights = {
        model: max(len(lines) for lines in [*texts[model], names[model]]) * line_high + 10
        for model in table
    }
    width = margin + 2 * column + 12 + EDGE
    height = EDGE + 20 + sum(high + 8 for high in heights.values()) + 2
    lefts = margin, margin + column + 12
    with Sheet(width, height) as sheet:
        for left, head in zip(lefts, PHASES, strict=True):
            sheet.text(left, EDGE + 10, head, bold=True)
        top = EDGE + 20.0
        for model, phases in table.items():
            high = heights[model]
            for number, line in enumerate(names[model]):
                sheet.text(EDGE, top + 15 + number * line_high, line, bold=True)
            for left, phase, lines in zip(lefts, phases, texts[model], strict=True):
                kind = state(phase)
                sheet.box(left, top, column, high, "vain" if kind == "vain" else "plate edge")
                if kind != "vain":
                    sheet.box(left, top, strip, high, kind)
                for number, (line, bold) in enumerate(lines):
                    sheet.text(left + strip + 8, top + 15 + number * line_high, line, bold=bold)
            top += high + 8
    return sheet.svg


# -- paper and pen -----------------------------------------------------------------------------


class Sheet:
    """A matplotlib figure whose unit is the point, from the left and from the top.

    Everything is put where we say; matplotlib lays nothing out.  So no place depends on how wide
    a font is on this machine, and the bytes are the same under other versions of FreeType.
    """

    BOXES = {  # noqa: RUF012
        "wait": {"facecolor": "wait", "edgecolor": "hatch", "linewidth": 1, "hatch": "////"},
        "work": {"facecolor": "work", "edgecolor": "work", "linewidth": 1},
        "vain": {"facecolor": "paper", "edgecolor": "faint", "linewidth": 1, "dashed": True},
        "plate": {"facecolor": "paper", "edgecolor": "paper", "linewidth": 0},
        "plate edge": {"facecolor": "paper", "edgecolor": "faint", "linewidth": 1},
    }

    def __init__(self, width: float, height: float):
        self.width, self.height = width, height
        self.svg = ""

    def __enter__(self) -> "Sheet":
        # Its first import warns of a slow font cache, and of a HOME where it cannot keep one.
        # Both are of no use to a learner, in whose cell it would stand.
        log = logging.getLogger("matplotlib")
        level = log.level
        log.setLevel(logging.ERROR)
        import matplotlib as mpl
        from matplotlib.figure import Figure

        log.setLevel(level)
        self._context = mpl.rc_context()
        self._context.__enter__()
        mpl.rcdefaults()  # whatever the reader has set for figures of her own
        mpl.rcParams.update(STYLE)
        self.figure = Figure(figsize=(self.width / 72, self.height / 72), dpi=72)
        self.figure.set_facecolor(PALETTE["paper"])
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_axis_off()
        self.axes.set_xlim(0, self.width)
        self.axes.set_ylim(self.height, 0)
        self._order = itertools.count(1)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                file = io.StringIO()
                self.figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
                self.svg = lean(file.getvalue(), self.width, self.height)
        finally:
            self._context.__exit__(None, None, None)

    def box(self, x: float, y: float, width: float, height: float, kind: str) -> None:
        from matplotlib.patches import Rectangle

        look = self.BOXES[kind]
        self._add(
            Rectangle(
                (x, y),
                width,
                height,
                facecolor=PALETTE[look["facecolor"]],
                edgecolor=PALETTE[look["edgecolor"]],
                linewidth=look["linewidth"],
                linestyle=(0, (3, 2)) if look.get("dashed") else "solid",
                hatch=look.get("hatch"),
            )
        )

    def circle(self, x: float, y: float, radius: float) -> None:
        from matplotlib.patches import Circle

        paper, ink = PALETTE["paper"], PALETTE["ink"]
        self._add(Circle((x, y), radius, facecolor=ink, edgecolor=paper, linewidth=1))

    def triangle(self, x: float, y: float) -> None:
        """A tip that points down to (x, y)."""
        from matplotlib.patches import Polygon

        ink = PALETTE["ink"]
        corners = [(x - 4, y - 7), (x + 4, y - 7), (x, y)]
        self._add(Polygon(corners, facecolor=ink, edgecolor=ink, linewidth=0.5))

    def line(
        self, x: float, y: float, to_x: float, to_y: float, ink: str, width: float = 1.0
    ) -> None:
        from matplotlib.lines import Line2D

        look = {"color": PALETTE[ink], "linewidth": width, "solid_capstyle": "butt"}
        self._add(Line2D((x, to_x), (y, to_y), **look))

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        ink: str = "ink",
        anchor: str = "left",
        upright: bool = False,
        bold: bool = False,
        size: float = SIZE,
    ) -> None:
        """Letters whose base line is at y; upright ones are read from the bottom up."""
        self.axes.text(
            x,
            y,
            text,
            parse_math=False,
            color=PALETTE[ink],
            fontsize=size,
            fontweight="bold" if bold else "normal",
            ha=anchor,
            va="baseline",
            rotation=90 if upright else 0,
            rotation_mode="anchor",
            zorder=next(self._order),
        )

    def _add(self, artist: Any) -> None:
        artist.set_zorder(next(self._order))
        artist.set_clip_on(False)
        self.axes.add_artist(artist)


TAG = re.compile(r"<[^<>]*>")
NUMBER = re.compile(r"-?\d+\.\d+")


def lean(text: str, width: float, height: float) -> str:
    """The <svg> of a file of matplotlib's, to stand in a page among others like it.

    Without what would concern the page (a style sheet for every element, names that are given
    anew in each figure), and without more decimals than can be seen.
    """
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.S)
    text = re.sub(r"<defs>\s*</defs>", "", text)
    text = re.sub(r'<g id="[^"]*">', "<g>", text)
    text = re.sub(rf" font-family: [^;\"]*;|(?<=[\"; ])font-size: {SIZE}px;", "", text)
    text = re.sub(r" text-anchor: start;", "", text).replace('style=" ', 'style="')
    text = TAG.sub(lambda tag: NUMBER.sub(rounded, " ".join(tag[0].split())), text)
    text = re.sub(r"\n\s*", "\n", text)
    for _ in range(3):  # groups that hold one thing or nothing
        text = re.sub(r"<g>\s*</g>\n?", "", text)
        text = re.sub(r"<g>\n(<(?:path|text)[^>]*>(?:[^<]*</text>)?)\n</g>", r"\1", text)
    opening = (
        f'<svg width="{width:.0f}pt" height="{height:.0f}pt" '
        f'viewBox="0 0 {rounded(width)} {rounded(height)}" xmlns="http://www.w3.org/2000/svg" '
        'stroke-linejoin="round" stroke-linecap="butt" '
        f'font-family="\'DejaVu Sans\', Verdana, sans-serif" font-size="{SIZE}" '
        'style="max-width: 100%; height: auto">'
    )
    return TAG.sub(lambda tag: opening, text, count=1)


def rounded(number: Any) -> str:
    value = round(float(number[0] if isinstance(number, re.Match) else number), 1)
    return f"{value or 0:g}"  # and not -0


def with_words(svg: str, summary: str, details: Iterable[str]) -> str:
    """The picture with what a screen reader says of it: its name, and its description."""
    words = html.escape("\n".join(details), quote=False)
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{html.escape(summary)}" ', 1)
    return re.sub(r">", lambda _: f">\n<desc>{words}</desc>", svg, count=1)
