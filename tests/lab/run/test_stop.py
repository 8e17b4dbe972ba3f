"""Servers that do not mean to stop: each is stopped, or said to be there still."""

import asyncio
import contextlib
import select
import threading
import time

import pytest

from echo import blocking_server
from echo.lab import leftovers, start, where_is
from echo.lab.run import ends, threads
from echo.lab.run import server as server_module
from tests.lab.bench import eventually, forget, in_less_than, sloppy


def test_computing_server_is_stopped(hurried):
    """It makes no call that could tell it."""

    def computes(listener):
        while True:
            sum(range(100))

    server = start(computes)
    with in_less_than(server_module.PATIENCE):
        server.stop()
    assert server.ended


def test_sleeping_server_is_stopped(hurried):
    """It looks at no socket, but between two naps it can be told."""

    def naps(listener):
        while True:
            time.sleep(0.02)

    server = start(naps)
    with in_less_than(server_module.PATIENCE):
        server.stop()
    assert server.ended


@sloppy
@pytest.mark.parametrize("where", ["accept", "recv"])
def test_server_that_swallows_every_exception_is_stopped(where):
    """`except Exception` is common, and must not make a server immortal."""

    def swallows(listener):
        sock = listener.accept()[0] if where == "recv" else None
        with sock or contextlib.nullcontext():
            while True:
                with contextlib.suppress(Exception):
                    sock.recv(10) if sock else listener.accept()

    server = start(swallows)
    with server.connect():
        with in_less_than(server_module.PATIENCE):
            server.stop()
        assert server.ended


def bare_accept(listener):
    while True:
        try:  # noqa: SIM105
            listener.accept()[0].close()
        except:  # noqa: E722
            pass


def bare_recv(listener):
    sock, _ = listener.accept()
    while True:
        try:  # noqa: SIM105
            sock.recv(10)
        except:  # noqa: E722
            pass


@pytest.fixture
def stubborn(request, monkeypatch):
    """A server that has been told to stop, and has not."""
    monkeypatch.setattr(threads.Stopped, "ENOUGH", 5)
    server = start(request.param)
    with server.connect():
        server.said = ""
        with in_less_than(server_module.PATIENCE + 1):
            try:
                server.stop()
            except RuntimeError as error:
                server.said = str(error)
        yield server
    forget(server)


# Who swallows what recv() raises may still be hit outside of its `try`, and end.
every_bare_except = pytest.mark.parametrize("stubborn", [bare_accept, bare_recv], indirect=True)


@pytest.mark.parametrize("stubborn", [bare_accept], indirect=True)
def test_bare_except_is_named_as_what_keeps_a_server(stubborn):
    """From the message a learner knows where to look."""
    assert "does not stop" in stubborn.said
    assert "bare `except:`" in stubborn.said


@every_bare_except
def test_server_that_does_not_stop_is_put_to_sleep(stubborn):
    """It must not compute beside what comes next."""
    before = stubborn.cpu()
    assert where_is(stubborn) in ("asleep in futex", "ended")
    time.sleep(0.1)
    assert stubborn.cpu() == before


@every_bare_except
def test_server_that_does_not_stop_holds_no_socket(stubborn):
    """Its clients see the end, and its port is free."""
    assert stubborn.descriptors() == 0


@pytest.mark.parametrize("stubborn", [bare_accept], indirect=True)
def test_leftovers_name_a_server_that_does_not_stop(stubborn, printed):
    """One thread that cannot be ended is there, and is said to be."""
    leftovers(stop=True)
    first, second = printed().splitlines()
    assert first == "1 thread, 0 sockets left"
    assert second == "the bare_accept() server is asleep in futex".replace(
        "bare_accept()", stubborn.name
    )


def test_server_that_ends_late_is_forgotten(hurried, monkeypatch, printed):
    """A nap longer than our patience: afterwards there is nothing to report."""
    monkeypatch.setattr(server_module, "PATIENCE", 0.1)
    woken = threading.Event()

    def oversleeps(listener):
        select.select([], [], [], 0.3)
        woken.set()
        while True:
            time.sleep(0.001)

    server = start(oversleeps)
    with pytest.raises(RuntimeError, match="sleep somewhere else"):
        server.stop()
    leftovers()
    assert "1 thread, 0 sockets left" in printed()
    assert eventually(lambda: server.ended)
    leftovers()
    assert printed() == "0 threads, 0 sockets left\n"


def test_asyncio_ends_silently():
    """A server of another kind is judged as well, and leaves no traceback in a cell."""

    async def one(reader, writer):
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    async def serve(listener):
        server = await asyncio.start_server(one, sock=listener)
        await server.serve_forever()

    server = start(lambda listener: asyncio.run(serve(listener)))
    clients = [server.connect() for _ in range(3)]
    for client in clients:
        client.send(b"x")
        assert client.recv(1) == b"x"
    with in_less_than(server_module.PATIENCE):
        server.stop()
    for client in clients:
        client.close()


def test_thread_that_has_left_is_not_told_to_stop():
    """Its number may be another's by then: an innocent thread would be ended."""
    server = start(blocking_server.serve)
    server.stop()
    told = threading.Event()
    go = threading.Event()

    def innocent():
        go.wait(5)
        time.sleep(0)
        told.set()

    thread = threading.Thread(target=innocent)
    thread.start()
    server.threads.first._ident = thread.ident
    server.threads.tell(server.threads.first)
    go.set()
    thread.join()
    assert told.is_set()


def test_thread_that_has_not_begun_is_not_told_to_stop():
    """Whoever starts it waits for it to say that it has begun, and would wait for ever."""
    server = start(blocking_server.serve)
    begun = threading.Event()

    class Slow(threading.Thread):
        def _set_native_id(self):  # called once ident is known, before it says so
            while not begun.is_set():
                time.sleep(0.001)
            super()._set_native_id()

    thread = Slow(target=blocking_server.serve, args=[server.listener])
    starter = threading.Thread(target=server.threads.launch, args=[thread])
    starter.start()
    assert eventually(lambda: thread.ident is not None)
    server.stopping = True
    server.threads.tell(thread)
    begun.set()
    starter.join(5)
    assert not starter.is_alive()
    server.stop()


@sloppy
def test_told_at_any_moment_a_thread_leaves_silently(hurried):
    """The bench raises in a thread wherever it is, and that may be on its way out."""

    def short(listener):
        while True:
            listener.accept()

    for number in range(100):
        server = start(short)
        server.stopping = True
        ends.hang_up(server.listener)
        for _ in range(number % 10):
            server.threads.tell(server.threads.first)
        assert server.end()
