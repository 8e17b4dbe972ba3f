"""What the tests of the figures share: a tape, five models, the words in a picture or a table."""

import errno
import re
import select
from xml.etree import ElementTree

from echo.lab import Tape
from echo.lab.display import light
from echo.lab.record.calls import Call, Error
from echo.lab.record.phase import Phase
from echo.lab.show.steps import steps_of
from echo.lab.show.tables import CELL_LOOKS

SVG = "{http://www.w3.org/2000/svg}"

IN, OUT = select.POLLIN, select.POLLOUT
IN_VAIN = Error(errno.EAGAIN, "")
SELECT = [  # name, asked, answer: a client comes, is echoed one byte, and leaves
    ("pselect6", {"listener": IN}, {"listener": IN}),
    ("accept4", "listener", "client 1"),
    ("accept4", "listener", IN_VAIN),
    ("pselect6", {"listener": IN, "client 1": IN | OUT}, {"client 1": IN | OUT}),
    ("recvfrom", "client 1", 1),
    ("sendto", "client 1", 1),
    ("close", "client 1", 0),
]
MODELS = {
    "blocking": ("asleep in recvfrom", Phase("", ["recvfrom"], (5, 0))),
    "non-blocking": (Phase("running", ["recvfrom"] * 2000, 0), Phase("", ["recvfrom"], (5, 0))),
    "asynchronous": (Phase(), Phase("", [], 0)),
}


def tape_of(calls, blocking=()):
    """A tape of calls that came one after the other."""
    tape = Tape()
    tape += [Call(number, number + 0.5, *call) for number, call in enumerate(calls)]
    tape.blocking.update(blocking)
    return tape


def drawn_words(drawing):
    """Every text in the picture, as (letters, whether they stand upright)."""
    texts = ElementTree.fromstring(drawing.svg).iter(f"{SVG}text")
    return [(text.text, "transform" in text.attrib) for text in texts]


def headings(drawing):
    """What stands above the columns, from left to right."""
    known = {step.heading() for step in steps_of(tape_of(SELECT))}
    return [text for text, upright in drawn_words(drawing) if upright and text in known]


def table_of(markup):
    """The one <table> of some HTML, read as XML: so it is checked to be whole."""
    tables = re.findall(r"(?s)<table.*?</table>", markup)
    assert len(tables) == 1
    return ElementTree.fromstring(tables[0].replace("<br>", " "))


def rows_of(markup):
    """The words of each row of a table; a cell over several rows stands in the first."""
    rows = table_of(markup).iter("tr")
    return [["".join(cell.itertext()) for cell in row] for row in rows]


def looks_of(markup):
    """What each cell of a table looks like, of those that have a look."""
    names = {f"background: {light(paper)}": name for name, (_, paper) in CELL_LOOKS.items()}
    styles = [
        cell.get("style").rpartition("; ")[2]
        for cell in table_of(markup).iter("td")
        if cell.get("style")
    ]
    return [names[style] for style in styles if style in names]
