"""Servers that the suite once passed, each with the requirement that sees its fault now.

Which faults it does not look for, and why, stands in docs/conformance.md.
"""

import contextlib
import functools
import selectors
import socket
import threading
import time

import pytest

from echo.accept import accept, accept_all
from echo.blocking_server import echo
from echo.connection import READ
from echo.lab.conformance import up_to
from echo.lab.conformance.subject import Failed
from echo.lab.conformance.verdict import examine
from echo.lab.run.process import NotAsked
from tests.lab.conformance.mutation import Mutation
from tests.lab.processes import PYTHON, verdict


def threads(serve_one):
    """A server with a thread for each client, that runs serve_one(sock)."""

    @functools.wraps(serve_one)
    def serve(listener):
        while True:
            sock = accept(listener)
            threading.Thread(target=serve_one, args=[sock], daemon=True).start()

    return serve


def loop(listener, timeout=None, most=100_000):
    """Ours in short, on a selector."""
    listener.setblocking(False)
    selector = selectors.DefaultSelector()
    selector.register(listener, READ)
    connections = {}
    while True:
        for key, _ in selector.select(timeout):
            if key.fileobj is listener:
                for conn in accept_all(listener):
                    if len(connections) < most:
                        selector.register(conn, selectors.EVENT_READ, conn)
                    connections[conn.fileno()] = conn
                continue
            conn = key.data
            conn.receive()
            if conn.unsent:
                conn.send()
            if not (wanted := conn.wanted()):
                selector.unregister(conn)
                del connections[conn.fileno()]
                conn.sock.close()
            elif wanted != conn.interest:
                flags = bool(wanted & 1) * selectors.EVENT_READ
                selector.modify(conn, flags | bool(wanted & 4) * selectors.EVENT_WRITE, conn)
                conn.interest = wanted


def wakes_a_hundred_times_a_second(listener):
    loop(listener, timeout=0.01)


def serves_256(listener):
    loop(listener, most=256)


@threads
def hangs_up_on_the_silent(sock):
    with sock, contextlib.suppress(TimeoutError):
        sock.settimeout(1)
        echo(sock)


@threads
def keeps_a_megabyte(sock):
    own = bytearray(1 << 20)
    own[:: 1 << 12] = b"x" * (1 << 8)
    with sock:
        echo(sock)


@threads
def closes_only_who_has_spoken(sock):
    while not sock.recv(1, socket.MSG_PEEK):
        time.sleep(0.05)
    with sock:
        echo(sock)


@threads
def speaks_utf8(sock):
    with sock:
        while data := sock.recv(65536):
            sock.sendall(data.decode(errors="replace").encode())


GAPS = {
    wakes_a_hundred_times_a_second: "sleeps while its clients are silent",
    serves_256: "needs little memory for a client",
    hangs_up_on_the_silent: "serves a second client while the first is silent",
    keeps_a_megabyte: "needs little memory for a client",
    closes_only_who_has_spoken: "closes when the client has finished",
    speaks_utf8: "sends back what it receives",
}


@pytest.mark.timing
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("serve", GAPS)
def test_gap_is_closed(serve):
    """Under the name of what is missing."""
    with pytest.raises(Failed):
        examine(serve, up_to(GAPS[serve])[-1])


@pytest.mark.timing
@pytest.mark.parametrize("requirement", sorted(set(GAPS.values())))
def test_what_they_are_made_of_is_good(requirement):
    """So it is their one fault that is seen."""
    examine(loop, up_to(requirement)[-1])


LOSES_AT_THE_END = Mutation(
    "connection", "if not self.unsent:", "if not self.unsent or self.eof:", server=""
)


@pytest.mark.timing
@pytest.mark.parametrize("server", ["select_server", "nonblocking_server", "epoll_server"])
def test_who_closes_before_it_has_paid_is_caught_whoever_waits(server):
    """It was made to owe only where it sleeps."""
    serve = LOSES_AT_THE_END._replace(server=server).serve()
    with pytest.raises(Failed):
        examine(serve, up_to("finishes its answer to a half closed client")[-1])


def reads_only_what_it_can_give_back(listener):
    """A byte at a time, once the client has taken the one before: it never owes anything."""
    while True:
        with accept(listener) as sock, contextlib.suppress(ConnectionResetError):
            echo_a_byte_at_a_time(sock)


def echo_a_byte_at_a_time(sock):
    while data := sock.recv(1, socket.MSG_PEEK):
        sock.sendall(data)
        sock.recv(1)


def test_what_was_not_reached_is_not_asked():
    """A pass would say that it has been seen."""
    with pytest.raises(NotAsked, match="never held any of it"):
        examine(reads_only_what_it_can_give_back, up_to("sleeps while a client does not read")[-1])


# As commands.

LEAVES_THE_SESSION = """
    import os, socket, sys, threading

    def echo(sock):
        while data := sock.recv(65536):
            sock.sendall(data)

    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    while True:
        sock, _ = listener.accept()
        if os.fork() == 0:
            os.setsid()
            listener.close()
            echo(sock)
            {then}
            os._exit(0)
        sock.close()
    """


@pytest.mark.timing
@pytest.mark.usefixtures("nobody_is_left")
@pytest.mark.parametrize(
    ("then", "name"),
    [
        ("while True: pass", "sleeps when clients have left"),
        ("threading.Event().wait()", "gives its descriptors back"),
    ],
    ids=["spins", "leaks"],
)
def test_child_in_a_session_of_its_own_is_seen(write, then, name):
    """It spins when its client has left, or stays with its socket open."""
    broken = write(LEAVES_THE_SESSION.format(then=then), "broken.py")
    good = write(LEAVES_THE_SESSION.format(then=""), "good.py")
    one = up_to(name)[-1]
    assert verdict(one, f"{PYTHON} {broken} {{port}}") == "no"
    assert verdict(one, f"{PYTHON} {good} {{port}}") == "yes"


KEEPS_THREADS = """
    import socket, sys, threading

    def serve(sock):
        with sock:
            while data := sock.recv(65536):
                sock.sendall(data)
        threading.Event().wait()

    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=serve, args=[sock], daemon=True).start()
    """


@pytest.mark.timing
@pytest.mark.usefixtures("nobody_is_left")
def test_thread_that_stays_for_each_former_client_is_seen(write):
    """It holds no descriptor, but a stack."""
    one = up_to("gives its descriptors back")[-1]
    assert verdict(one, f"{PYTHON} {write(KEEPS_THREADS)} {{port}}") == "no"


RESTLESS = """
    import selectors, socket, sys
    selector = selectors.DefaultSelector()
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select(0.01):
            if key.fileobj is listener:
                selector.register(listener.accept()[0], selectors.EVENT_READ)
                continue
            try:
                key.fileobj.sendall(data := key.fileobj.recv(65536))
            except OSError:
                data = b""
            if not data:
                selector.unregister(key.fileobj)
                key.fileobj.close()
    """


@pytest.mark.timing
@pytest.mark.usefixtures("nobody_is_left")
def test_who_never_comes_to_rest_is_not_waited_for(write):
    """Two hundred seconds it took, in which nothing happened."""
    began = time.monotonic()
    command = f"{PYTHON} {write(RESTLESS)} {{port}}"
    assert verdict(up_to("serves two hundred clients in any order")[-1], command) == "yes"
    assert verdict(up_to("stops reading from a client that does not read")[-1], command) == "yes"
    assert verdict(up_to("sleeps while its clients are silent")[-1], command) == "no"
    assert time.monotonic() - began < 60
