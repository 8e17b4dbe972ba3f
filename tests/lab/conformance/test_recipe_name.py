"""The cell that shows a failure again starts the server by a name that exists where it is run."""

import pytest

from echo import blocking_server, select_server
from echo.lab import Tape, check, start
from echo.lab.conformance.verdict import imports_for, recipe_name


def mine(listener):
    """Nothing."""


my_choice = blocking_server.serve


@pytest.mark.parametrize(
    ("serve", "names", "expected"),
    [
        (mine, {"mine": mine}, "mine"),
        (my_choice, {"my_choice": my_choice}, "my_choice"),
        (my_choice, {"_": my_choice, "my_choice": my_choice}, "my_choice"),
        (my_choice, {"serve": select_server.serve, "my_choice": my_choice}, "my_choice"),
        (my_choice, {"blocking_server": blocking_server}, "blocking_server.serve"),
        (my_choice, {}, "serve"),
        (lambda listener: None, {}, "serve"),
    ],
)
def test_is_known_where_it_is_run(serve, names, expected):
    assert recipe_name(serve, names) == expected


def test_check_finds_the_name_that_its_caller_uses(capsys):
    check(my_choice, until="serves a second client while the first is silent")
    assert "server = start(my_choice, tape)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("names", "line"),
    [
        ({}, "from echo.lab import Tape, start\n"),
        ({"start": start}, "from echo.lab import Tape\n"),
        ({"start": start, "Tape": 5}, "from echo.lab import Tape\n"),  # the learner's own
        ({"start": start, "Tape": Tape}, ""),
    ],
    ids=["nothing", "start", "another Tape", "both"],
)
def test_what_is_not_known_is_imported(names, line, capsys):
    """Lesson 02 never imports Tape; what is pasted there has to run."""
    here = {"check": check, "mine": blocking_server.serve, **names}
    exec('check(mine, until="serves a second client while the first is silent")', here)
    shown = capsys.readouterr().out.split("To see it again:\n")[1]
    pasted = "\n".join(shown_line.strip() for shown_line in shown.splitlines())
    begin = "tape = Tape()\nserver = start(mine, tape)\n"
    assert f"import time\n{line}{begin}" in pasted


def test_where_a_thread_is_is_imported_too():
    """It is asked of a server that has returned."""
    again = "tape = Tape()\nserver = start(serve, tape)\nwhere_is(server)"
    line = imports_for(again, {"Tape": Tape, "start": start})
    assert line == "from echo.lab import where_is\n"
