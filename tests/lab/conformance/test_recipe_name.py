"""The cell that shows a failure again starts the server by a name that exists where it is run."""

import pytest

from echo import blocking_server, select_server
from echo.lab import check
from echo.lab.conformance.verdict import recipe_name


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
