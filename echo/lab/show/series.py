"""The lessons of the series in their order, and a map of them.

    map_of_the_series()

The table below is the one place that knows them all; a test holds it to the notebooks that
there are and to the README.
"""

import textwrap
from pathlib import Path
from typing import NamedTuple

from echo.lab.show.paper import EDGE, LETTER, Drawing, Sheet, entry_width
from echo.lab.words import amount


class Lesson(NamedTuple):
    """A lesson: the name of its notebook, and the puzzle that it solves."""

    name: str
    puzzle: str

    def title(self) -> str:
        """As people say it: "03 select"."""
        return self.name.replace("_", " ")


# What a part of the series is about -> its lessons; they are read in this order.
SERIES = {
    "What waiting is": [
        Lesson("00_start_here", "Two clients, one server, and the second one waits. For what?"),
        Lesson(
            "01_io_models",
            "Five ways to wait for one byte. In which of them is your thread asleep, and where?",
        ),
        Lesson(
            "02_tcp_basics",
            "You send 10 MB to a program that reads nothing. Where are they now?",
        ),
    ],
    "One thread for many clients": [
        Lesson(
            "03_select",
            "How does one thread serve two hundred clients, and why not two thousand?",
        ),
        Lesson(
            "04_poll",
            "You wait for POLLHUP to learn that a client has left. It leaves. What comes?",
        ),
        Lesson(
            "05_epoll",
            "One changed line, and waiting beside 10 000 silent clients takes as long as beside "
            "ten. Where did the list go?",
        ),
    ],
    "What can go wrong, what it costs, what hides it": [
        Lesson(
            "06_edge_triggered",
            "The bytes have arrived, nothing is wrong, and the server sleeps for ever. Why?",
        ),
        Lesson(
            "07_scaling",
            "What does an idle client cost: a thread, a list entry, or nothing?",
        ),
        Lesson(
            "08_event_loops",
            '"All async frameworks are epoll underneath." Are they? Ask the kernel.',
        ),
    ],
    "Without asking first; and a server of your own": [
        Lesson("09_io_uring", "Can a server echo without asking whether it may?"),
        Lesson(
            "10_your_server",
            "A client types half a word and goes to lunch. Who is still being served?",
        ),
    ],
}
LESSONS = [lesson for part in SERIES.values() for lesson in part]

# What is true of a lesson -> what stands beside its name, and how its box looks.
MARKS = {
    "here": ("you are here", "work"),
    "there": ("in this folder", "plate edge"),
    "to come": ("not in this folder yet", "vain"),
}

# All lengths are points, as in paper.py.
LINE_LETTERS = 27  # of a puzzle in one line
LINE = 13
STRIP = 18  # what holds a name
BOX = LINE_LETTERS * LETTER + 12
BOX_GAP = 16
INDENT = 18  # of a heading beside the tip of an arrow


def map_of_the_series(here: str = "00_start_here", folder: str | Path = ".") -> Drawing:
    """The lessons as a map, each with its puzzle; those without a notebook look it.

    `here`: the name of the lesson that shows the map.  `folder`: where the notebooks are; a
    notebook runs in its own folder.
    """
    there = {path.stem for path in Path(folder).glob("*.ipynb")}
    marks = {
        lesson.name: "here"
        if lesson.name == here
        else "there"
        if lesson.name in there
        else "to come"
        for lesson in LESSONS
    }
    names = {name for name, mark in marks.items() if mark != "to come"}
    summary = (
        f"Map of the series: {amount(len(LESSONS), 'lesson')}, to be read in this order; "
        f"{len(names)} of them {'is' if len(names) == 1 else 'are'} in this folder."
    )
    details = []
    for part, lessons in SERIES.items():
        details.append(f"{part}:")
        details += [
            f"  {one.title()} ({MARKS[marks[one.name]][0]}): {one.puzzle}" for one in lessons
        ]
    return Drawing(summary, details, svg_of(marks))


def svg_of(marks: dict[str, str]) -> str:
    """A row of boxes for each part, and a line that leads from the first box to the last."""
    puzzles = {one.name: textwrap.wrap(one.puzzle, LINE_LETTERS) for one in LESSONS}
    heights = [
        STRIP + max(len(puzzles[one.name]) for one in lessons) * LINE + 9
        for lessons in SERIES.values()
    ]
    longest = max(map(len, SERIES.values()))
    width = 2 * EDGE + longest * BOX + (longest - 1) * BOX_GAP
    head = 18 + BOX_GAP  # the name of a part, and the line that leads to it
    height = 2 * EDGE + sum(heights) + len(heights) * head - BOX_GAP + 24
    with Sheet(width, height) as sheet:
        top = EDGE - BOX_GAP + 0.0
        for row, (part, lessons) in enumerate(SERIES.items()):
            if row:
                lead(sheet, EDGE + (longest - 0.5) * BOX + (longest - 1) * BOX_GAP, top, head)
            top += head
            sheet.text(EDGE + INDENT * bool(row), top - 6, part, bold=True)
            for column, lesson in enumerate(lessons):
                left = EDGE + column * (BOX + BOX_GAP)
                if column:
                    middle = top + STRIP / 2
                    sheet.line(left - BOX_GAP, middle, left, middle, "ink", 1.2)
                draw(sheet, left, top, heights[row], lesson, puzzles[lesson.name], marks)
            top += heights[row]
        left = EDGE + 0.0
        for mark in [one for one in MARKS if one in marks.values()]:
            text, look = MARKS[mark]
            sheet.box(left, top + 14, 17, 13, look)
            sheet.text(left + 22, top + 24, text)
            left += entry_width(text)
    return sheet.svg


def lead(sheet: Sheet, start: float, top: float, head: float) -> None:
    """From the last box of a row to the first of the next, which begins `head` below."""
    end = EDGE + 7
    sheet.line(start, top, start, top + 8, "ink", 1.2)
    sheet.line(start, top + 8, end, top + 8, "ink", 1.2)
    sheet.line(end, top + 8, end, top + head - 4, "ink", 1.2)
    sheet.triangle(end, top + head)


def draw(
    sheet: Sheet,
    left: float,
    top: float,
    high: float,
    lesson: Lesson,
    puzzle: list[str],
    marks: dict[str, str],
) -> None:
    """The box of one lesson."""
    mark = marks[lesson.name]
    look = MARKS[mark][1]
    sheet.box(left, top, BOX, high, "vain" if mark == "to come" else "plate edge")
    if mark == "here":
        sheet.box(left, top, BOX, STRIP, look)
    name_ink = "paper" if mark == "here" else "faint" if mark == "to come" else "ink"
    sheet.text(left + 7, top + 13, lesson.title(), bold=True, ink=name_ink)
    for number, line in enumerate(puzzle):
        ink = "faint" if mark == "to come" else "ink"
        sheet.text(left + 7, top + STRIP + 12 + number * LINE, line, ink=ink)
