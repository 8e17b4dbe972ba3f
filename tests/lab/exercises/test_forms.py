"""An answer counts in whatever form it is written, and what is wrong with it is said."""

import asyncio

import pytest

from echo import select_server, threaded_server
from echo.lab import check, check_answer, check_function, check_reader
from echo.lab.conformance.verdict import recipe_name
from echo.lab.exercises.forms import same_line

CLIENTS = ["client 1", "client 2"]


@pytest.mark.parametrize(
    ("answer", "measured"),
    [
        ((one for one in CLIENTS), CLIENTS),
        (reversed(CLIENTS), CLIENTS),
        (dict.fromkeys(CLIENTS), CLIENTS),
        (dict.fromkeys(CLIENTS).keys(), CLIENTS),
        (range(1, 3), [1, 2]),
        ("sendto()", "sendto"),
        ("asleep in poll", "poll"),
        (b"too long", "too long"),
        ("29", 29),
        ("False", False),
    ],
    ids=["generator", "reversed", "dict", "keys", "range", "brackets", "asleep", "bytes", "number",
         "truth"],
)  # fmt: skip
def test_form_is_no_part_of_an_answer(answer, measured, capsys):
    """Who knows it need not guess how we write it."""
    check_answer(answer, measured, "Waiting")
    assert capsys.readouterr().out.rstrip().endswith("Right.")


@pytest.mark.parametrize(
    ("answer", "measured", "said"),
    [
        ("three", 3, "'three' is wrong in its form: expected is a number, without quotes"),
        (["poll", 1], ["poll", "select"], "1 is wrong in its form: expected is a text in quotes"),
        (5, b"hello", '5 is wrong in its form: expected is bytes, as b"..."'),
    ],
)
def test_wrong_form_is_named(answer, measured, said, capsys):
    """Otherwise "1 of 2 is missing" sends people to look for something else."""
    check_answer(answer, measured, "Waiting")
    assert f"Not yet: {said}.\n" in capsys.readouterr().out


@pytest.mark.parametrize("answer", ["poll", 1, True])
def test_wrong_answer_is_still_wrong(answer, capsys):
    check_answer(answer, ["select", 0], "Waiting")
    assert "Right" not in capsys.readouterr().out


def read(conn):
    return conn.recv(1)


@pytest.mark.parametrize(
    ("judge", "given", "said"),
    [
        (check_reader, select_server, "Select_server is a module: give the function in it"),
        (check_reader, read.__name__, "'read' is no function"),
        (lambda one: check_function(one, {}, "x"), None, "None is what a call may have returned"),
        (check, threaded_server, "check() takes the function serve(listener): threaded_server.s"),
        (check, 5, "check() takes the function serve(listener), and not 5: write its name"),
        (check, asyncio, "check() takes the function serve(listener): "),
    ],
    ids=["module", "text", "None", "server module", "number", "other module"],
)
def test_what_is_no_function_is_explained(judge, given, said, capsys):
    """No traceback, and what to write instead."""
    judge(given)
    assert capsys.readouterr().out.startswith(said)


def test_error_that_is_returned_is_not_raised(capsys):
    """`return EOFError` does nothing to whoever called."""

    def returns_it(data):
        return EOFError

    check_function(returns_it, {(b"",): EOFError}, "The end")
    assert capsys.readouterr().out.startswith("FAIL  returns_it(b'')")


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("if event & READ:", "if  event&READ:  # mine", True),
        ("elif event & WRITE:", "elif event & WRITE :", True),
        ("x = 'a'", 'x = "a"', True),
        ("if event & READ:", "if event == READ:", False),
        ("while True:", "while True", False),
    ],
)
def test_unchanged_line_is_recognized(old, new, same):
    """However it is spaced or quoted."""
    assert same_line(old, new) is same


def test_lambda_has_no_name_to_write_down():
    """start(<lambda>, tape) is no Python."""
    assert recipe_name(lambda listener: None, {}) == "serve"
