"""check(serve, mark=...): a server must stop reading where its exercise says so."""

import re

import pytest

from echo import epoll_server
from echo.connection import HIGH_WATER
from echo.lab import zoo
from echo.lab.conformance import Failed, examine
from echo.lab.conformance.mark import stops_reading_at
from tests.lab.conformance.test_shown_again import shown
from tests.lab.conformance.told import said

FIRST = "closes when the client has finished"


def test_mark_is_asked_after_the_suite():
    """And counted with it."""
    lines = said(epoll_server.serve, until=FIRST, mark=HIGH_WATER).splitlines()
    assert lines[1:] == [
        f"pass  {FIRST}",
        f"pass  stops reading at {HIGH_WATER:,} bytes owed",
        "",
        "3 of 3 requirements met by serve().",
    ]


@pytest.mark.parametrize(
    ("server", "mark"),
    [(epoll_server, HIGH_WATER // 2), (zoo.load("queues_without_end"), 1_000_000)],
    ids=["a lower mark than it has", "none"],
)
def test_server_that_reads_on_is_told_how_much_it_holds(server, mark):
    with pytest.raises(Failed) as failure:
        examine(server.serve, stops_reading_at(mark))
    held = re.search(r"client 1 is owed ([\d,]+) bytes", str(failure.value))[1]
    assert int(held.replace(",", "")) > mark


def test_server_that_stops_too_early_is_told_so():
    with pytest.raises(Failed, match=r"is owed only [\d,]+ bytes, and the server has stopped"):
        examine(epoll_server.serve, stops_reading_at(4 * HIGH_WATER))


def test_cell_that_shows_it_again_runs():
    printed, _ = shown(epoll_server.serve, stops_reading_at(100_000))
    assert HIGH_WATER <= int(printed.split()[0]) < 2 * HIGH_WATER
