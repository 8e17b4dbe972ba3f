"""The lessons of the series in their order, and a map of them.

    map_of_the_series()

The table below is the one place that knows them all; a test holds it to the notebooks that
there are and to the README.
"""

from pathlib import Path
from typing import NamedTuple

from echo.lab.display import Shown
from echo.lab.show.tables import Cell, Rows, table_html
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
        Lesson(
            "00_start_here",
            "Two clients, one server, and the second one gets no answer. What is the server "
            "waiting for?",
        ),
        Lesson(
            "01_io_models",
            "There are five ways to wait for one byte. In which of them does your thread sleep,"
            " and in which call?",
        ),
        Lesson(
            "02_tcp_basics",
            "You send 10 MB to a program that reads nothing. Where are those bytes now?",
        ),
    ],
    "One thread for many clients": [
        Lesson(
            "03_select",
            "How does one thread serve two hundred clients, and why not two thousand?",
        ),
        Lesson(
            "04_poll",
            "You wait for POLLHUP to learn that a client has left. The client leaves. What does"
            " poll() report?",
        ),
        Lesson(
            "05_epoll",
            "After one change, waiting takes as long with 10,000 idle clients as with ten. Who "
            "keeps the list now?",
        ),
    ],
    "What can go wrong, what it costs, what hides it": [
        Lesson(
            "06_edge_triggered",
            "The bytes have arrived, no call has failed, and the server sleeps forever. Why?",
        ),
        Lesson(
            "07_scaling",
            "What does an idle client cost: a thread, a list entry, or nothing?",
        ),
        Lesson(
            "08_event_loops",
            "Does every async framework call epoll? How can you find out?",
        ),
    ],
    "Without asking first; and a server of your own": [
        Lesson(
            "09_io_uring",
            "Can a server send and receive without first waiting until a socket is ready?",
        ),
        Lesson(
            "10_your_server",
            "A client types half a word and goes to lunch. "
            "Does your server still serve the other clients?",
        ),
    ],
}
LESSONS = [lesson for part in SERIES.values() for lesson in part]

# What is true of a lesson -> what is said of it, and how that looks.
MARKS = {
    "here": ("you are here", "work"),
    "there": ("in this folder", ""),
    "to come": ("not in this folder yet", "vain"),
}


def map_of_the_series(here: str = "00_start_here", folder: str | Path = ".") -> Shown:
    """The lessons in their order, each with its puzzle; those without a notebook look it.

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
    markup = table_html(summary, ["Part", "Lesson", "Its puzzle", "Where"], map_rows(marks))
    return Shown("\n".join([summary, *details]), markup)


def map_rows(marks: dict[str, str]) -> Rows:
    """A row for each lesson; the name of a part spans those of its own."""
    rows: list[list[str | Cell]] = []
    for part, lessons in SERIES.items():
        for number, one in enumerate(lessons):
            row: list[str | Cell] = [] if number else [Cell(part, rows=len(lessons), head=True)]
            row += [Cell(one.title(), head=True), one.puzzle, Cell(*MARKS[marks[one.name]])]
            rows.append(row)
    return rows
