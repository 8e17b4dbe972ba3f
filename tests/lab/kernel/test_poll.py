"""What poll() answers is told by name."""

import os
import socket

import pytest

from echo.lab import connected, flags, says
from echo.lab.kernel.poll import CASES, Flags


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
