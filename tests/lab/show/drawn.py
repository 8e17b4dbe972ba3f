"""What the tests of the figures share: a tape, five models, and the words in a drawing."""

import errno
import select
from xml.etree import ElementTree

from echo.lab import Tape
from echo.lab.record.calls import Call, Error
from echo.lab.record.phase import Phase
from echo.lab.show.steps import steps_of

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
    return [(text.text, "rotate(-90" in text.get("transform")) for text in texts]


def headings(drawing):
    """What stands above the columns, from left to right."""
    known = {step.heading() for step in steps_of(tape_of(SELECT))}
    return [text for text, upright in drawn_words(drawing) if upright and text in known]
