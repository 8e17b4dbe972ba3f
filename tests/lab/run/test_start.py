"""A server in a thread is started, talked to, and stopped."""

import asyncio
import contextlib
import socket
import threading

import pytest

from echo import blocking_server, select_server, threaded_server
from echo.lab import Tape, start
from echo.lab.run import server as server_module
from echo.lab.run import threads as threads_module
from tests.lab.bench import eventually, every_server, in_less_than, sloppy, tcp_sockets


@every_server
def test_client_gets_its_echo(serve):
    """What everything else rests on; a client's socket is closed by a `with`, as any is."""
    with start(serve) as server, server.connect() as client:
        client.send(b"hello")
        assert client.recv(100) == b"hello"


@every_server
def test_with_block_ends_the_server(serve):
    """Its port is closed and its threads are gone when the next line runs."""
    with start(serve) as server:
        pass
    assert server.ended
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(server.address)


@every_server
@pytest.mark.parametrize("clients", [0, 3])
def test_stop_ends_the_server_at_once(serve, clients):
    """A lesson starts dozens; PATIENCE is for those that do not hear."""
    server = start(serve)
    crowd = [server.connect() for _ in range(clients)]
    with in_less_than(server_module.PATIENCE / 2):
        server.stop()
    assert server.ended
    assert server.descriptors() == 0
    for client in crowd:
        with client, contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""


@every_server
def test_stop_may_come_twice(serve):
    """A `with` block in which stop() is called ends as any other."""
    with start(serve) as server:
        server.stop()


def test_server_says_what_it_is():
    """The last line of a cell shows it."""
    server = start(select_server.serve)
    assert repr(server) == "<select server, running in the background>"
    server.stop()
    assert repr(server) == "<select server, stopped>"


def test_client_waits_five_seconds_at_most():
    """A server that does not answer must not hang the notebook."""
    with start(select_server.serve) as server, server.connect() as client:
        assert client.gettimeout() == 5


def test_buffer_makes_the_servers_buffers_small():
    """Backpressure is seen after kilobytes instead of megabytes; Linux doubles the number."""
    with start(select_server.serve, buffer=8192) as server, server.connect():
        (sock,) = server.accepted()
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 2 * 8192


def test_nothing_is_left_of_fifty_servers():
    """A notebook's kernel lives for days."""
    threads, sockets = set(threading.enumerate()), tcp_sockets()
    for _ in range(50):
        with start(threaded_server.serve) as server, server.connect() as client:
            client.send(b"x")
    assert eventually(lambda: set(threading.enumerate()) <= threads)
    assert tcp_sockets() <= sockets


@pytest.mark.parametrize(
    ("serve", "text"),
    [
        (select_server, r"takes the function serve\(listener\): select_server\.serve"),
        (42, r"takes the function serve\(listener\)"),
        (asyncio.sleep, r"plain function.*asyncio\.run"),
    ],
    ids=["module", "number", "coroutine function"],
)
def test_start_says_what_it_takes(serve, text):
    """A likely slip is answered by what to write instead."""
    with pytest.raises(TypeError, match=text):
        start(serve)


def test_tape_in_use_starts_nothing():
    """Two servers on one tape would be told apart by nobody; the second leaves no trace."""
    tape = Tape()
    with start(select_server.serve, tape) as server:
        with pytest.raises(RuntimeError, match="make a new one"):
            start(select_server.serve, tape)
        assert [*server_module.servers] == [server]
        assert tape.sleeps() == ["pselect6"]


def test_threads_of_others_start_as_ever():
    """Thread.start stands in for itself only while a server lives, and only for its threads."""
    done = threading.Event()
    with start(select_server.serve) as server:
        assert threading.Thread.start is threads_module.start_and_own
        thread = threading.Thread(target=done.wait)
        thread.start()
        assert thread not in server.threads
        with start(blocking_server.serve):
            pass
        assert threading.Thread.start is threads_module.start_and_own
    assert threading.Thread.start is threads_module.real_start
    done.set()
    thread.join()


def test_threaded_server_goes_on_when_there_is_no_thread_to_be_had(monkeypatch):
    """One client is turned away; the others are served, and so are those who come later."""

    def none_left(*_, **__):
        raise RuntimeError("can't start new thread")

    with start(threaded_server.serve) as server, server.connect() as first:
        with monkeypatch.context() as patch:
            for name in ("_start_new_thread", "_start_joinable_thread"):  # until 3.12, and since
                patch.setattr(threading, name, none_left, raising=False)
            with server.connect() as second:
                assert second.recv(1) == b""
        with server.connect() as third:
            for client in (first, third):
                client.send(b"x")
                assert client.recv(1) == b"x"


@sloppy
def test_listener_does_not_keep_accepted_sockets_open():
    """Where a server drops its last reference, the client learns that it is gone."""

    def drops(listener):
        while True:
            listener.accept()[0].setblocking(True)

    with start(drops) as server, server.connect() as client:
        assert client.recv(1) == b""
        assert server.accepted() == []
