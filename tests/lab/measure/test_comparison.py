"""Each word of the comparison is measured, and is the same on every run."""

import ctypes
import importlib
import resource
import select
import socket
import struct

import pytest

from echo import blocking_server, epoll_server, select_server
from echo.lab import compare, predicted, zoo
from echo.lab.kernel import sleep as sleep_module
from echo.lab.measure import comparison
from echo.lab.run import server as server_module

ROWS = {
    "blocking": ["1", "nobody: one at a time", "2", "flat", "served", "asleep"],
    "threaded": ["11", "nobody: a thread each", "2", "flat", "served", "asleep"],
    "nonblocking": [
        *("1", "nobody: it asks every client", "without end", "never waits", "served", "busy"),
    ],
    "select": ["1", "the program, in every call", "3", "grows", "closed", "asleep"],
    "poll": ["1", "the program, in every call", "3", "grows", "served", "asleep"],
    "epoll": ["1", "the kernel", "3", "flat", "served", "asleep"],
    "coroutine": ["1", "the kernel", "3", "flat", "served", "asleep"],
}


@pytest.mark.timing
@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_what_the_series_says(name):
    table = compare(importlib.import_module(f"echo.{name}_server"))
    assert [*table.row(name).values()] == ROWS[name]
    assert not server_module.servers


@pytest.mark.timing
@pytest.mark.parametrize(
    ("animal", "changed"),
    [
        ("plain_select", {"calls": "4"}),
        ("asks_always", {"calls": "without end", "idle": "busy", "one wait": "never waits"}),
    ],
)
def test_a_stage_or_a_fault_shows_in_its_column(animal, changed):
    ours = dict(zip(comparison.COLUMNS, ROWS["select"], strict=True))
    assert compare(zoo.load(animal)).row(animal) == {**ours, **changed}


def test_who_crashes_at_a_high_descriptor_is_told_from_who_closes_it():
    def serve(listener):
        with listener.accept()[0] as sock:
            select.select([sock], [], [])

    assert comparison.high_client(serve) == "crashes"
    assert comparison.high_client(select_server.serve) == "closed"


def test_a_server_that_crashes_has_a_row_too():
    def serve(listener):
        raise KeyError("oops")

    [row] = compare(serve).rows.values()
    assert set(row.values()) == {"crashes"}


@pytest.fixture(scope="module")
def table():
    rows = {name: dict(zip(comparison.COLUMNS, words, strict=True)) for name, words in ROWS.items()}
    return comparison.Comparison(rows)


class TestShown:
    def test_text_is_a_table(self, table):
        lines = str(table).splitlines()
        assert lines[0].split() == ["threads", "list", "calls", "one", "wait", "high", "idle"]
        assert lines[2].startswith("blocking     1        nobody: one at a time")
        assert len({len(line) for line in lines[1:2]}) == 1
        assert max(map(len, lines)) <= 100

    def test_html_says_the_same(self, table):
        bundle = table._repr_mimebundle_()
        assert bundle["text/plain"] == str(table)
        for words in ROWS.values():
            assert all(word in bundle["text/html"] for word in words)

    def test_a_word_can_be_predicted_before_it_is_shown(self, table):
        said = predicted("grows", table.row("epoll")["one wait"])
        assert said == "✗ 'flat', but you said 'grows'."
        with pytest.raises(KeyError, match="no 'kqueue' in the table"):
            table.row("kqueue")


class TestFewDescriptors:
    @pytest.fixture(params=[1200, 1900])
    def low_limit(self, request, monkeypatch):
        """As if our hard limit were low; the soft one is low indeed."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (request.param, hard))
        monkeypatch.setattr(comparison, "LIMIT", request.param)
        monkeypatch.setattr(comparison, "ENOUGH", hard + 1)
        yield
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    @pytest.mark.timing
    def test_one_line_more_says_so_and_nothing_else_differs(self, low_limit):
        table = compare(select_server, epoll_server)
        first, _, rest = str(table).partition("\n")
        assert first.startswith("reduced: ")
        rows = {name: dict(zip(comparison.COLUMNS, ROWS[name], strict=True)) for name in table.rows}
        assert rest == str(comparison.Comparison(rows))
        first, _, rest = table.markup.partition("\n")
        assert first.startswith("reduced: ")
        assert rest == comparison.Comparison(rows).markup

    def test_with_enough_there_is_no_such_line(self):
        assert "reduced:" not in str(compare())


def test_asking_again_asks_the_same():
    """All of the list, of whatever call: the answer names who is ready."""
    here, there = socket.socketpair()
    fds = [here.fileno()]
    there.send(b"x")
    poll = struct.pack("ihh", fds[0], 1, 0)
    held = ctypes.create_string_buffer(poll, len(poll))
    sleep = sleep_module.Sleep("poll", (ctypes.addressof(held), 1, 0), ())
    prepare, ask = comparison.question(sleep)
    prepare()
    assert ask() == 1
    one = sleep_module.Sleep("recvfrom", (fds[0],), ())
    assert comparison.question(one)[1]() == 1
    bits = ctypes.create_string_buffer((1 << fds[0]).to_bytes(128, "little"), 128)
    asked = sleep_module.Sleep("pselect6", (fds[0] + 1, ctypes.addressof(bits), 0, 0), ())
    prepare, ask = comparison.question(asked)
    for _ in range(2):
        prepare()
        assert ask() == 1
    here.recv(1)
    prepare()
    assert ask() == 0
    prepare()
    assert ask() == 0
    here.close()
    there.close()


@pytest.mark.timing
def test_short_queue_is_said_and_not_waited_for(monkeypatch):
    """Where somaxconn is 128 the kernel cuts a queue of 4096 without a word."""
    monkeypatch.setattr(comparison, "longest_queue", lambda: 128)
    monkeypatch.setattr(server_module, "BACKLOG", 128)
    table = compare(blocking_server, epoll_server)
    assert "reduced: 118 idle clients, not 1000: no queue is longer here" in str(table)
    assert table.row("blocking")["one wait"] == table.row("epoll")["one wait"] == "flat"
