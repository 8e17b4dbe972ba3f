"""`python -m echo`, as it is run in a terminal: a process, its port and its signals."""

import ast
import os
import re
import signal
import socket
import subprocess
import threading
from contextlib import contextmanager, suppress

import pytest

from tests.paths import ROOT
from tests.servers.command import COMMAND, PATIENCE, SERVERS, Server, echoed, run, stall


@contextmanager
def idle(server):
    """Nobody is there any more, and the server has nothing to do."""
    with server.connect() as sock:
        assert echoed(sock, b"hello")
    yield


@contextmanager
def talking(server):
    """A client is there, and silent: the server leaves first, and its end stays in TIME_WAIT."""
    with server.connect() as sock:
        assert echoed(sock, b"hello")
        yield


@contextmanager
def stalled(server):
    """A client sends and does not read."""
    with server.connect() as sock:
        stall(sock, most=64 << 20)
        yield


@contextmanager
def flooded(server):
    """A client sends all the time, as fast as it can, and reads what comes back."""
    flowing = threading.Event()

    def send(sock):
        with suppress(OSError):
            while True:
                sock.sendall(bytes(64 * 1024))

    def receive(sock):
        with suppress(OSError):
            while sock.recv(64 * 1024):
                flowing.set()

    with server.connect() as sock:
        threads = [threading.Thread(target=target, args=[sock]) for target in (send, receive)]
        for thread in threads:
            thread.start()
        try:
            assert flowing.wait(PATIENCE)
            yield
        finally:
            with suppress(OSError):  # it may have been reset
                sock.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


def test_an_ipv6_address_is_said_in_brackets():
    """Or its last colon and the port's could not be told apart."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error.strerror}")
    command = [*COMMAND, "epoll", "0", "--host", "::1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        said = process.stdout.readline()
        process.kill()
    assert re.fullmatch(r"epoll server listening on \[::1\]:\d+; Ctrl-C ends it\n", said)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_an_output_that_takes_nothing_is_said_in_one_sentence():
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            [*COMMAND, "epoll", "0"],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
        )
    assert (done.returncode, done.stderr) == (1, "python -m echo: No space left on device\n")


@pytest.mark.parametrize("name", SERVERS)
def test_says_where_it_listens(name):
    """With port 0 nobody could know otherwise."""
    with Server(name) as server:
        assert server.says.startswith(f"{name} server listening on ")
        with server.connect() as sock:
            assert echoed(sock, b"hello")


@pytest.mark.parametrize("name", SERVERS)
def test_listens_on_the_port_it_is_given(name):
    """The terminal with nc in it, and the lesson, say 7007."""
    with Server(name) as server:
        _, port = server.address
        server.end()
    with Server(name, port) as server:
        assert server.address[1] == port


@pytest.mark.timing
@pytest.mark.parametrize("state", [idle, talking, stalled, flooded])
@pytest.mark.parametrize("name", SERVERS)
def test_a_signal_ends_it_quietly_and_frees_its_port(name, state):
    """Ctrl-C and SIGTERM are how every learner ends it: in whatever call it sleeps."""
    port = 0
    for number in (signal.SIGINT, signal.SIGTERM):
        with Server(name, port) as server:
            with state(server):
                assert server.end(number) == ""
            assert server.process.returncode == -number
            _, port = server.address
    with Server(name, port) as server, server.connect() as sock:
        assert echoed(sock, b"hello")


@pytest.mark.timing
@pytest.mark.parametrize("name", SERVERS)
def test_port_is_free_the_moment_it_has_ended(name):
    """A ring outlives its process a little, and would keep the listener."""
    for _ in range(5):
        with Server(name) as server, stalled(server):
            server.end(signal.SIGTERM)
            socket.create_server(server.address).close()


@pytest.mark.parametrize("name", SERVERS)
def test_two_servers_do_not_share_a_port(name):
    """With SO_REUSEPORT the kernel would give each of them a part of the clients."""
    with Server(name) as server:
        done = run(name, str(server.address[1]))
    assert "Address already in use" in done.stderr
    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.parametrize("name", SERVERS)
def test_what_a_terminal_sends_does_not_disturb_it(name):
    """SIGWINCH when its window changes; SIGSTOP and SIGCONT for Ctrl-Z and fg."""
    with Server(name) as server, server.connect() as sock:
        for number in (signal.SIGWINCH, signal.SIGSTOP, signal.SIGCONT, signal.SIGWINCH):
            server.process.send_signal(number)
            if number != signal.SIGSTOP:
                assert echoed(sock, b"hello")


WRONG = {
    "nothing": [],
    "no port": ["select"],
    "unknown server": ["selekt", "0"],
    "port in words": ["select", "http"],
    "negative port": ["select", "-1"],
    "port too big": ["select", "65536"],
    "port far too big": ["select", "9" * 5000],
    "port in other digits": [
        "select",
        "\N{SUPERSCRIPT TWO}".encode(),
    ],  # bytes: also where LANG is C
    "two ports": ["select", "0", "0"],
    "unknown option": ["select", "0", "--hots", "127.0.0.1"],
    "no host": ["select", "0", "--host"],
}


@pytest.mark.parametrize("words", WRONG.values(), ids=WRONG)
def test_wrong_usage_is_answered_by_one_line(words):
    """It says what is wrong and where to look; a traceback says neither to a beginner."""
    done = run(*words)
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.endswith("; try python -m echo --help\n")
    assert (done.returncode, done.stdout) == (2, "")


NO_HOST = {
    "not to be found": "::1%nowhere",  # found out without asking a name server
    "not ours": "203.0.113.1",
    "no name": "a..b",
    "empty": "",
}


@pytest.mark.parametrize("host", NO_HOST.values(), ids=NO_HOST)
def test_wrong_host_is_answered_by_one_line(host):
    """As wrong usage is, but it takes the kernel to find out: exit code 1."""
    done = run("select", "0", "--host", host)
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"python -m echo: cannot listen on {host}:0: ")
    assert done.stderr.endswith("; try another port or --host\n")
    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.parametrize("name", SERVERS)
def test_busy_port_is_answered_by_one_line(name):
    """The commonest accident: the server of the last lesson is still there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        done = run(name, port)
    assert done.stderr == (
        f"python -m echo: cannot listen on 127.0.0.1:{port}: Address already in use;"
        " try another port or --host\n"
    )
    assert (done.returncode, done.stdout) == (1, "")


def test_help_lists_every_server():
    """With what its own docstring says first."""
    done = run("--help")
    lines = [re.split("  +", line.strip()) for line in done.stdout.splitlines()]
    docs = {
        name: ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))).splitlines()[0]
        for name, path in SERVERS.items()
    }
    assert [line for line in lines if line[0] in SERVERS] == [*map(list, docs.items())]
    assert (done.returncode, done.stderr) == (0, "")
