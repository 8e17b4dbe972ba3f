"""Signals in a notebook's kernel: they reach the thread they are meant for, and end nothing."""

import signal
import subprocess
import sys

import pytest

from tests.paths import ROOT

# In a process of its own: what is to be shown is that it survives.
BEGIN = """
import fcntl, os, signal, time
from echo import sigio_server
from echo.lab import start

def echoed(client):
    client.send(b"x")
    return client.recv(1) == b"x"
"""
TWO_SERVERS = """
with start(sigio_server.serve) as one, start(sigio_server.serve) as two:
    with one.connect() as first, two.connect() as second:
        assert all(map(echoed, [first, second] * 20))
"""
SOCKETS_THAT_OUTLIVE_THE_THREAD = """
server = start(sigio_server.serve)
clients = [server.connect() for _ in range(5)]
kept = [os.dup(sock.fileno()) for sock in server.accepted()]
server.end()
for client in clients:
    try:
        client.send(b"x")
        client.close()
    except OSError:
        pass
"""
WITHOUT_A_MASK = """
def serve(listener):
    listener.setblocking(False)
    fcntl.fcntl(listener, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(listener, fcntl.F_SETFL, fcntl.fcntl(listener, fcntl.F_GETFL) | os.O_ASYNC)
    while True:
        signal.sigwaitinfo({signal.SIGIO})

server = start(serve)
clients = [server.connect() for _ in range(5)]
server.end()
"""
CASES = [TWO_SERVERS, SOCKETS_THAT_OUTLIVE_THE_THREAD, WITHOUT_A_MASK]


@pytest.mark.timing
@pytest.mark.parametrize("case", CASES, ids=["two servers", "late signals", "no mask"])
def test_notebooks_kernel_survives(case):
    """By default SIGIO ends the process, and with it all that the learner has in it."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + case + "time.sleep(0.05)\nprint('alive')"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("alive\n", "", 0)


LEARNERS = """
import signal, socket
from echo import sigio_server
listener = socket.create_server(("127.0.0.1", 0))
print("here", flush=True)
sigio_server.serve(listener)
"""


def test_ctrl_c_ends_it_also_where_python_handles_it():
    """sigwaitinfo() returns to Python for any signal that has a handler."""
    command = [sys.executable, "-c", LEARNERS]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "here\n"
        process.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in process.communicate(timeout=20)[1]
