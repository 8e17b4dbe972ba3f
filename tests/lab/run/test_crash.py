"""Servers that end by themselves: who is told, when, and in which words."""

import socket
import threading
from pathlib import Path

import pytest

from echo import select_server
from echo.lab import Crashed, leftovers, start, where_is
from tests.lab.bench import in_less_than, returns, sloppy


def raises(listener):
    sock, _ = listener.accept()
    with sock:
        sock.recv(100)
        nonsense  # noqa: B018, F821


def child_raises(listener):
    def child(sock):
        with sock:
            sock.recv(100)
            raise KeyError("boom")

    while True:
        sock, _ = listener.accept()
        threading.Thread(target=child, args=[sock]).start()


def line_of(text):
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_error_is_named_with_its_file_and_line():
    """Of the server's own code, wherever below it the error arose."""
    server = start(raises)
    with server.connect() as client:
        client.send(b"x")
    line = line_of("nonsense  #")
    with pytest.raises(Crashed) as error:
        server.stop()
    assert str(error.value) == (
        "the server crashed: NameError: name 'nonsense' is not defined "
        f"(test_crash.py, line {line})"
    )


def test_error_in_a_cell_is_named_with_the_line_of_its_function():
    """As the learner counts lines; a cell has no name."""
    cell = "\n\ndef serve(listener):\n    # first\n    helper()\n\ndef helper():\n    1 / 0\n"
    names = {"__name__": "__main__"}
    exec(compile(cell, "a cell", "exec"), names)
    server = start(names["serve"])
    with pytest.raises(Crashed, match=r"ZeroDivisionError: .* \(line 2 of helper\)$"):
        server.stop()


def test_descriptor_in_an_error_is_named_by_its_role():
    """A KeyError with a number in it would say nothing, and differ from run to run."""

    def forgets(listener):
        {}[listener.fileno()]

    server = start(forgets)
    with pytest.raises(Crashed, match="KeyError: the descriptor of listener"):
        server.stop()


def test_server_that_returns_is_told_that_it_should_not():
    """The first slip of whoever writes serve(): no loop."""
    server = start(returns)
    assert where_is(server) == "ended"
    with pytest.raises(Crashed, match="must keep running"):
        server.stop()


@pytest.mark.parametrize("serve", [raises, child_raises])
def test_client_of_a_crashed_server_is_told_at_once(serve):
    """Instead of an empty answer, or of a wait for one that never comes."""
    server = start(serve)
    with server.connect() as client, in_less_than(2):
        client.send(b"x")
        with pytest.raises(Crashed, match=r"NameError|KeyError: 'boom'"):
            client.recv(1)
        with pytest.raises(Crashed):
            client.send(b"x")
        with pytest.raises(Crashed):
            client.sendall(b"x")
        with pytest.raises(Crashed):
            server.connect()
        with pytest.raises(Crashed):
            server.stop()


@pytest.mark.timing
def test_crash_is_told_however_the_sockets_were_closed():
    """A `with` in the server closes its client before anybody knows why."""
    for _ in range(20):
        server = start(raises)
        with server.connect() as client:
            socket.socket.send(client, b"x")  # and do not wait
            with pytest.raises(Crashed):
                client.recv(1)
        assert server.end()


@sloppy
def test_crash_tells_every_client():
    """Those who wait for an answer get none, and must not wait in vain."""

    def crashes(listener):
        first, second = listener.accept()[0], listener.accept()[0]
        second.recv(1)
        raise ValueError(first.fileno() > 0)

    server = start(crashes)
    with server.connect() as first, server.connect() as second:
        second.send(b"x")
        with in_less_than(2), pytest.raises(Crashed, match="ValueError: True"):
            first.recv(1)
        assert server.end()


def test_with_block_tells_a_crash_that_nobody_noticed():
    """The lesson goes on otherwise as if all were well."""
    with pytest.raises(Crashed, match="must keep running"), start(returns):
        pass


def test_with_block_does_not_hide_what_was_raised_in_it():
    """A crash that was already told is not told twice; another error stays visible."""
    with pytest.raises(Crashed), start(returns) as server:
        server.connect()
    with pytest.raises(ZeroDivisionError), start(select_server.serve):
        1 / 0  # noqa: B018


def test_leftovers_name_a_crash(printed):
    """A server that was started without `with` and never stopped."""
    server = start(returns)
    leftovers()
    assert printed() == (
        "0 threads, 1 socket left\n"
        f"the {server.name} server has ended: serve() returned; a server must keep running\n"
    )
    leftovers(stop=True)
    assert printed() == "0 threads, 0 sockets left\n"
