"""The check of an edge-triggered server: what it refuses, and what it hands to the suite."""

import pytest

from echo import epoll_edge_server, epoll_server, poll_server
from echo.lab import check_edge
from echo.lab.zoo import Change, derive

LEVEL = (
    "Not yet edge-triggered: your server calls register() for its client with IN, and without ET."
)
NONE = "Not yet edge-triggered: your server does not call register() for its client."


def stub(listener):
    """Nothing yet."""
    ...  # noqa: PIE790


def crashes(listener):
    raise ValueError("no")


def forgets_in_modify():
    """Asks for an edge at first, and for the level after the first change."""
    changes = (
        Change("epoll_server", "(conn, conn.interest)", "(conn, conn.interest | select.EPOLLET)"),
        Change("epoll_server", "elif wanted != conn.interest:", "else:"),
    )
    return derive("forgets", "epoll_server", changes).serve


@pytest.mark.parametrize(
    ("serve", "said"),
    [
        (stub, "Not attempted yet: replace the ... in stub()."),
        (..., "Not attempted yet: replace the ... by the serve of a server."),
        (epoll_server.serve, LEVEL),
        (poll_server.serve, NONE),
        (forgets_in_modify(), LEVEL.replace("register", "modify")),
    ],
    ids=["stub", "dots", "level", "poll", "modify"],
)
def test_what_is_refused_is_told_in_one_line(serve, said, capsys):
    check_edge(serve)
    assert capsys.readouterr().out.splitlines() == [said]


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("collected")
def test_a_crash_is_reported_by_the_suite(capsys):
    check_edge(crashes)
    assert "the server crashed: ValueError: no" in capsys.readouterr().out


@pytest.mark.timing
def test_an_edge_triggered_server_meets_the_suite(capsys):
    check_edge(epoll_edge_server.serve)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "pass  sends back what it receives"
    assert lines[-1].endswith(" requirements met by serve().")
