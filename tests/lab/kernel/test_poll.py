"""What poll() says is told by name, and the table that is drawn says what was measured."""

import os
import re
import socket
from xml.etree import ElementTree

import pytest

from echo.lab import connected, flags, says, truth_table
from echo.lab.readiness import CASES, Flags

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def ends():
    """The two ends of a TCP connection."""
    there, here = connected()
    with here, there:
        yield here, there


def bring_about(here, there, case):
    """Make `here` such an end."""
    unread, they_finished, we_finished, room = case
    here.setblocking(False)
    while not room and "OUT" in says(here):
        here.send(bytes(1_000_000))
    there.send(bytes(unread))
    if they_finished:
        there.shutdown(socket.SHUT_WR)
    if we_finished:
        here.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_cases_of_the_exercise_are_the_kernels(case, ends):
    """A learner's function is held against them."""
    bring_about(*ends, case)
    assert says(ends[0]) == CASES[case]


def test_a_descriptor_that_is_not_open(ends):
    number = os.dup(ends[0].fileno())
    os.dup2(number, 900)
    os.close(900)
    os.close(number)
    assert says(900) == "NVAL"
    ends[0].close()
    with pytest.raises(ValueError, match="negative"):
        says(ends[0])


@pytest.mark.parametrize(
    ("number", "said"), [(0, "nothing"), (5, "IN|OUT"), (24, "ERR|HUP"), (0x2001, "IN|RDHUP")]
)
def test_bits_have_names(number, said):
    assert repr(flags(number)) == str(flags(number)) == said


@pytest.mark.parametrize(
    ("guess", "same"),
    [
        ("IN|OUT", True),
        ("out, in", True),
        ("POLLIN|POLLOUT", True),
        (["OUT", "IN"], True),
        ({"IN", "OUT"}, True),
        (5, True),
        ("IN", False),
        ("IN|OUT|HUP", False),
        (None, False),
        (..., False),
        ([..., "IN"], False),
        (True, False),
    ],
)
def test_a_guess_may_name_them_in_any_order(guess, same):
    assert (guess == Flags("IN|OUT")) is same
    assert (guess != Flags("IN|OUT")) is not same


@pytest.mark.parametrize("guess", ["nothing", "none", "", 0, [], set()])
def test_a_guess_may_be_nothing(guess):
    assert guess == flags(0)
    assert not flags(0)


def test_a_name_is_found_whole():
    """HUP is not in IN|RDHUP, though its letters are."""
    assert "HUP" not in Flags("IN|RDHUP")
    assert [*Flags("IN|RDHUP")] == ["IN", "RDHUP"]


class TestTable:
    ROWS = {"idle": flags(4), "full": flags(0), "gone": "IN|HUP", "no such": ["NVAL"]}  # noqa: RUF012

    def test_says_it_in_words(self):
        assert str(truth_table(self.ROWS)).splitlines() == [
            "What poll() says in 4 states, when it is asked for IN, OUT, PRI, RDHUP.",
            "idle:    OUT",
            "full:    nothing",
            "gone:    IN and unasked HUP",
            "no such: unasked NVAL",
        ]

    def test_draws_what_it_says(self):
        """Each flag that was set stands in a box of its own, and again above its column."""
        svg = truth_table(self.ROWS).svg
        texts = [text.text for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]
        assert [texts.count(name) - 1 for name in ("IN", "OUT", "PRI", "HUP", "NVAL")] == [
            *(1, 1, 0, 1, 1)
        ]
        assert texts.count("-") == 4 * 7 - 4
        assert re.search('role="img" aria-label="What poll', svg)
        assert svg == truth_table(self.ROWS).svg

    def test_nonsense_is_refused_in_words(self):
        with pytest.raises(TypeError, match="needs rows"):
            truth_table({})
        with pytest.raises(ValueError, match="gone: LEFT is no flag"):
            truth_table({"gone": "LEFT"})
