"""Beside each bad client: who is served, who sleeps, who hoards; the same words on every run."""

import importlib
import inspect
import socket

import pytest

from echo import blocking_server, epoll_server, nonblocking_server
from echo.lab import ordeal, zoo
from echo.lab.display import light
from echo.lab.measure import ordeal as ordeal_module
from echo.lab.measure.ordeal import CLIENTS, Frozen, Ordeal, Trial, counts, trial
from echo.lab.run import server as server_module

pytestmark = pytest.mark.timing
WAITING = ["select", "poll", "epoll", "epoll_edge", "coroutine", "threaded"]
STUFFED = {"slow reader", "never reads", "half-closer"}  # they leave the server with a debt


@pytest.fixture(scope="module")
def frozen():
    with Frozen() as process:
        yield process


def row(serve, frozen):
    return {name: trial(serve, bad, frozen) for name, bad in CLIENTS.items()}


def good(name):
    """What a server with no fault does beside this client."""
    return Trial(
        "yes",
        "busy" if name == "flooder" else "asleep",
        "a part" if name in STUFFED else "nothing",
    )


@pytest.mark.parametrize("name", WAITING)
def test_a_good_server_serves_the_other_sleeps_and_holds_little(name, frozen):
    serve = importlib.import_module(f"echo.{name}_server").serve
    assert row(serve, frozen) == {client: good(client) for client in CLIENTS}


def test_one_at_a_time_stalls_for_all_but_who_has_left(frozen):
    expected = {name: good(name)._replace(served="stalls") for name in CLIENTS}
    expected["resetter"] = good("resetter")
    assert row(blocking_server.serve, frozen) == expected


def test_who_never_waits_is_always_busy(frozen):
    expected = {name: good(name)._replace(server="busy") for name in CLIENTS}
    assert row(nonblocking_server.serve, frozen) == expected


@pytest.mark.parametrize(
    ("animal", "bad", "expected"),
    [
        ("drains_to_the_end", "flooder", Trial("stalls", "busy", "nothing")),
        ("drains_to_the_end", "never reads", good("never reads")),
        ("queues_without_end", "never reads", Trial("yes", "asleep", "everything")),
        ("queues_without_end", "slow reader", Trial("yes", "asleep", "everything")),
        ("queues_without_end", "half-closer", good("half-closer")),
        ("blocks_in_the_loop", "never reads", Trial("stalls", "asleep", "a part")),
        ("blocks_in_the_loop", "slow reader", Trial("stalls", "asleep", "a part")),
        ("blocks_in_the_loop", "silent", good("silent")),
        ("asks_always", "silent", Trial("yes", "busy", "nothing")),
    ],
)
def test_a_fault_shows_beside_its_client(animal, bad, expected, frozen):
    assert trial(zoo.load(animal).serve, CLIENTS[bad], frozen) == expected


def test_a_server_that_crashes_has_a_row_too(frozen):
    def serve(listener):
        with listener.accept()[0] as sock:
            sock.recv(1)
            raise KeyError("oops")

    assert trial(serve, CLIENTS["resetter"], frozen) == Trial("crashes", "ended", "nothing")


def test_takes_modules_functions_and_a_list_and_leaves_nothing():
    table = ordeal([epoll_server.serve, zoo.load("blocks_in_the_loop")])
    assert table.row("epoll")["never reads"].holds == "a part"
    assert [*table.rows] == ["epoll", "blocks_in_the_loop"]
    assert table.stalling("epoll") == []
    assert set(table.stalling("blocks_in_the_loop")) >= {"never reads", "slow reader"}
    with pytest.raises(KeyError, match="no 'kqueue' in the table, but epoll"):
        table.row("kqueue")
    assert not server_module.servers


def test_text_and_html_say_the_same():
    row = {name: good(name) for name in CLIENTS}
    table = Ordeal({"epoll": row, "spoilt": {**row, "frozen": Trial("stalls", "busy", "a part")}})
    bundle = table._repr_mimebundle_()
    assert bundle["text/plain"] == str(table)
    lines = str(table).splitlines()
    assert lines[2].split()[0] == "silent"
    assert lines[5].split() == ["spoilt", *["yes"] * 7, "stalls"]
    assert max(map(len, lines)) <= 100
    assert lines[-7] == "dribbler     " + inspect.getdoc(CLIENTS["dribbler"])
    assert bundle["text/html"].count("<b>dribbler</b>: Sends one byte at a time") == 1
    assert bundle["text/html"].count(light("gone")) == 2  # busy under a flood is no fault
    assert bundle["text/html"].count("<tr>") == 9


def test_what_arrives_between_two_questions_is_counted_once(monkeypatch):
    """Otherwise bytes were unread that had not arrived, and a debt was missed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    real, late = ordeal_module.tcp_info, [b"late"]

    def slow_answer(sock):
        info = real(sock)
        if late:
            client.sendall(late.pop())
        return info

    monkeypatch.setattr(ordeal_module, "tcp_info", slow_answer)
    with client, server:
        client.sendall(b"hello")
        assert server.recv(5) == b"hello"
        assert counts(server)[0] == 5
        assert not late
