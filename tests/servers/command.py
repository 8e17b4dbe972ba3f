"""A server as a process, started by `python -m echo`, and what is done to it from outside."""

import re
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.paths import ROOT

SERVERS = {
    path.stem.removesuffix("_server"): path for path in sorted(ROOT.glob("echo/*_server.py"))
}

COMMAND = [sys.executable, "-m", "echo"]

PATIENCE = 20  # seconds: what has not happened by then will not


class Server:
    """A server that was started by the command; `under`: another command that is to run it."""

    def __init__(self, name, port=0, under=()):
        self.process = subprocess.Popen(
            [*under, *COMMAND, name, str(port)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=bool(under),
        )
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        self.says = self.process.stdout.readline() if ready else "nothing"
        address = re.search(r" (127\.0\.0\.1):(\d+)", self.says)
        if address is None:
            pytest.fail(f"{name} says: {self.says}{self.end()}")
        self.address = (address[1], int(address[2]))

    @property
    def pid(self):
        return self.process.pid

    def connect(self):
        return socket.create_connection(self.address, timeout=PATIENCE)

    def end(self, number=signal.SIGKILL):
        """What it said on stderr by the time the signal had ended it."""
        self.process.send_signal(number)
        try:
            return self.process.communicate(timeout=PATIENCE)[1]
        except subprocess.TimeoutExpired:
            pytest.fail(f"it does not end on {signal.Signals(number).name}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.returncode is None:
            self.process.kill()
            self.process.communicate()


def run(*words):
    return subprocess.run(
        [*COMMAND, *words], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE
    )


def until(condition):
    """Wait for a state; what the condition returned."""
    deadline = time.monotonic() + PATIENCE
    while not (result := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {PATIENCE} s in vain")
        time.sleep(0.005)
    return result


def echoed(sock, message):
    """Whether `message` comes back; False if the server has closed this client instead."""
    try:
        sock.sendall(message)
        back = b""
        while len(back) < len(message) and (data := sock.recv(len(message))):
            back += data
    except ConnectionError:
        return False
    return back == message


def stall(sock, most):
    """Send without reading until the server takes no more; how many bytes it took."""
    sock.setblocking(False)
    sent = 0
    while sent < most and select.select([], [sock], [], 0.1)[1]:
        with suppress(BlockingIOError):
            sent += sock.send(bytes(min(64 * 1024, most - sent)))
    return sent


def of_process(server, name):
    return Path(f"/proc/{server.pid}/{name}").read_text("ascii", "replace")


def memory(server):
    """Bytes that are in memory."""
    (line,) = [line for line in of_process(server, "status").splitlines() if "VmRSS" in line]
    return int(line.split()[1]) * 1024
