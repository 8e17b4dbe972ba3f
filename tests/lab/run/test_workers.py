"""Several processes on one port: which of their clients are answered, and that nothing stays."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from echo.lab import outcome, until, workers
from echo.lab.kernel.sockets import connections

pytestmark = pytest.mark.timing


def children():
    """The processes that this one has started and not waited for."""
    with open(f"/proc/self/task/{threading.get_native_id()}/children", encoding="ascii") as file:
        return file.read().split()


def test_all_are_answered_while_all_work():
    for shared in (False, True):
        with workers(2, shared=shared) as team:
            team.call(20)
            assert team.answered() == "all"
            assert team.answered() == "all"
            assert (len(team.clients), team.unanswered) == (20, [])


def test_a_worker_that_hangs_keeps_its_share():
    """And gives it up neither to the other, nor when it goes on."""
    with workers(2) as team:
        team.stop(1)
        team.call(40)
        assert team.answered() == "a part"
        assert team.answered() == "a part"
        team.go_on(1)
        assert team.answered() == "all"


def test_a_worker_that_dies_takes_its_queue_along():
    with workers(2) as team:
        team.stop(0)
        team.call(40)
        assert team.answered() == "a part"
        team.kill(0)
        assert {outcome(client.recv, 100) for client in team.unanswered} == {"ECONNRESET"}
        lost = len(team.unanswered)
        team.call(10)
        assert team.answered() == "a part"
        assert len(team.unanswered) == lost


def test_of_one_listener_whoever_is_awake_takes():
    with workers(2, shared=True) as team:
        team.stop(0)
        team.call(40)
        assert team.answered() == "all"


def test_nobody_answers_when_all_hang():
    with workers(2) as team:
        team.stop(0)
        team.stop(1)
        team.call(4)
        assert team.answered() == "nobody"


@pytest.mark.parametrize("server", ["threaded", "poll", "coroutine"])
def test_of_any_kind(server):
    with workers(2, server) as team:
        team.call(10)
        assert team.answered() == "all"


def test_nothing_is_left():
    """No process, also of one that was stopped, no socket, no connection in TIME_WAIT."""
    before, files = children(), len(os.listdir("/proc/self/fd"))
    with workers(2) as team:
        team.call(10)
        team.answered()
        team.stop(0)
        port = team.address[1]
    assert children() == before
    assert len(os.listdir("/proc/self/fd")) == files
    until(lambda: not connections(port))


def test_an_interrupt_leaves_nothing():
    before = children()

    def interrupted():
        with workers(2) as team:
            team.stop(0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert children() == before


def test_a_server_that_there_is_not_is_told():
    before = children()
    said = "a worker has ended before it served: nothing"
    with pytest.raises(RuntimeError, match=said), workers(2, "nothing"):
        pass
    assert children() == before


def test_a_worker_that_ends_by_itself_is_told():
    with workers(2) as team:
        process = team._processes[0]
        process.send_signal(signal.SIGTERM)
        until(lambda: process.poll() is not None)
        with pytest.raises(RuntimeError, match="a worker has ended by itself"):
            team.settle()


def test_no_worker_outlives_who_started_it():
    """Not even when that is killed, as a notebook's kernel may be."""
    program = (
        "import time\nfrom echo.lab import workers\n"
        "with workers(1) as team:\n"
        "    team.stop(0)\n"
        "    print(team._processes[0].pid, flush=True)\n    time.sleep(60)"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 5
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < deadline:
        time.sleep(0.01)
        with open(f"/proc/{pid}/stat", "rb") as file:
            if b") Z " in file.read():  # nobody here waits for it
                break
    else:
        assert not os.path.exists(f"/proc/{pid}")


def test_they_listen_on_loopback_only():
    with workers(1) as team:
        assert team.address[0] == "127.0.0.1"
        with socket.create_connection(team.address, timeout=5) as client:
            client.send(b"x")
            assert client.recv(100) == b"x"
