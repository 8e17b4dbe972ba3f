"""A server in a process: it is seen to sleep, held still, and ended with all that it started."""

import os
import re
import signal
import socket
import time

import pytest

from echo.lab.run import process as process_module
from echo.lab.run.process import COMPUTES, Process, Unusable
from tests.lab.processes import FAMILY, GOOD, PATIENCE, PYTHON, program

pytestmark = pytest.mark.usefixtures("nobody_is_left")


ELSEWHERE = """
    import socket, sys, time
    listener = socket.create_server(("127.0.0.2", int(sys.argv[1])))
    time.sleep(100)
    """


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import time; time.sleep(100)", "of 127.0.0.1, 0.5 seconds after its start"),
        (ELSEWHERE, "of 127.0.0.1 but on another address, 0.5 seconds after its start"),
    ],
    ids=["nowhere", "elsewhere"],
)
def test_command_that_never_listens_is_told_so(write, monkeypatch, source, says):
    """And that it does elsewhere."""
    monkeypatch.setattr(process_module, "LISTENS", 0.5)
    with pytest.raises(Unusable, match=rf"does not listen on port \d+ {re.escape(says)}"):
        Process(f"{PYTHON} {write(source)} {{port}}")


def test_port_that_somebody_else_takes_is_no_fault_of_the_server(write, monkeypatch):
    """We have looked for a free one, but not kept it."""
    path = write(program(GOOD))
    with socket.create_server(("127.0.0.1", 0)) as other:
        ports = [other.getsockname()[1], process_module.free_port()]
        monkeypatch.setattr(process_module, "free_port", lambda: ports.pop(0))
        server = Process(f"{PYTHON} {path} {{port}}")
    assert ports == []
    assert server.crash is None
    os.kill(server.pid, signal.SIGKILL)
    server._wait(lambda: server.ended)
    assert server.crash == "the server has ended, by SIGKILL"
    assert server.end()


def test_family_is_ended_as_a_whole(write):
    """By a signal that nobody can ignore."""
    server = Process(f"{PYTHON} {write(FAMILY)} {{port}}")
    while len(server.members()) < 8:
        time.sleep(0.001)
    assert server.end()
    assert server.members() == []


# A process, as the suite sees it.


@pytest.fixture
def server():
    server = Process(f"{PYTHON} -m echo select {{port}}")
    yield server
    server.end()


def test_process_is_seen_to_sleep(server):
    """In which call, and that it costs nothing."""
    server.settle()
    before = server.cpu()
    assert server.where_is() == "asleep in pselect6"
    assert 0 < server.cpu() == before


def test_process_that_computes_is_seen_to(write):
    """It never sleeps, so it has finished when it has computed for a while and moved nothing."""
    spins = program("def serve(listener):\n    while True:\n        pass\n")
    server = Process(f"{PYTHON} {write(spins)} {{port}}")
    try:
        before = server.cpu()
        server.settle(PATIENCE)
        assert server.cpu() - before > COMPUTES
        assert server.where_is() == "running"
    finally:
        server.end()


def test_process_that_is_held_does_nothing(server):
    """What clients do meanwhile has happened when it looks."""
    with socket.create_connection(server.address, timeout=PATIENCE) as client:
        with server.hold():
            client.send(b"hello")
            client.settimeout(0.05)
            with pytest.raises(TimeoutError):
                client.recv(100)
        client.settimeout(PATIENCE)
        assert client.recv(100) == b"hello"


def test_end_of_a_process_is_seen(server):
    """Who ended it, if it was not we."""
    os.kill(server.pid, signal.SIGKILL)
    while not server.ended:
        time.sleep(0.001)
    assert server.crash == "the server has ended, by SIGKILL"
    assert server.where_is() == "ended"
