"""What stands in the module select while a server is on tape: it does all, and goes again."""

import ast
import select

import pytest

from echo import select_server
from echo.lab import Crashed, Tape, start
from tests.lab.record.taped import NAMES, lines, serve_in
from tests.paths import ROOT


@pytest.mark.parametrize("end", ["stop", "crash"])
def test_module_select_is_restored(end):
    """By whatever the server ended."""
    real = select.select, select.poll, select.epoll
    serve = select_server.serve if end == "stop" else serve_in("def serve(listener): 1 / 0")
    server = start(serve, Tape())
    if end == "stop":
        assert select.select is not real[0]
        server.stop()
    else:
        with pytest.raises(Crashed):
            server.stop()
    assert (select.select, select.poll, select.epoll) == real


def test_module_select_is_restored_after_the_last_of_two():
    """Not with the first: the other is still recorded."""
    real = select.select
    one, two = start(select_server.serve, Tape()), start(select_server.serve, Tape())
    one.stop()
    assert select.select is not real
    two.stop()
    assert select.select is real


def test_names_in_the_servers_module_are_recorded_and_restored():
    """`from select import select` is as good as `import select`."""
    serve = serve_in("""
from select import select as wait, epoll
def serve(listener):
    while True:
        wait([listener], [], [])
        listener.accept()[0].close()
""")
    names, real = serve.__globals__, select.select
    tape = Tape()
    with start(serve, tape) as server, server.connect():
        assert names["wait"] is not real
    assert lines(tape)[0] == "pselect6([listener], []) = [listener], []"
    assert (names["wait"], names["epoll"]) == (real, select.epoll)


def test_taped_server_may_use_all_of_the_modules_interface():
    """Any iterable, a timeout, an int or an object, isinstance, closed."""
    serve = serve_in("""
import select
def serve(listener):
    assert select.select(iter([listener]), {}, (), 0) == ([], [], [])
    poller = select.poll()
    poller.register(listener.fileno())
    poller.modify(listener, select.POLLIN)
    assert poller.poll(0) == []
    poller.unregister(listener)
    with select.epoll() as epoll:
        assert isinstance(epoll, select.epoll)
        epoll.register(listener, select.EPOLLIN | select.EPOLLET)
        epoll.modify(listener.fileno(), select.EPOLLIN)
        assert epoll.poll(timeout=0, maxevents=1) == []
        epoll.unregister(listener)
    assert epoll.closed
    while True:
        select.select([listener], [], [])
        listener.accept()[0].close()
""")
    tape = Tape()
    with start(serve, tape) as server, server.connect():
        pass
    assert lines(tape)[:9] == [
        "pselect6([listener], []) = [], []",
        "poll([listener IN]) = []",
        "epoll_create1() = epoll",
        "epoll_ctl(ADD listener IN|ET) = 0",
        "epoll_ctl(MOD listener IN) = 0",
        "epoll_wait() = []",
        "epoll_ctl(DEL listener) = 0",
        "close(epoll) = 0",
        "pselect6([listener], []) = [listener], []",
    ]


def test_every_waiting_call_of_a_server_can_be_taped():
    """Who adds a server that waits in something new hears of it here."""
    known = {"select", "poll", "epoll"}
    for name in NAMES:
        tree = ast.parse((ROOT / "echo" / f"{name}.py").read_text(encoding="utf-8"))
        used = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "select"
        }
        assert {one for one in used if one.islower()} <= known
