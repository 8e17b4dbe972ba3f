"""What the tests of the bench share: all servers, patience, and Python in a process of its own."""

import contextlib
import importlib
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from echo.lab.kernel import sleep
from echo.lab.run import server as server_module
from echo.lab.run import threads
from tests.paths import ROOT

SERVERS = {
    path.stem.removesuffix("_server"): importlib.import_module(f"echo.{path.stem}").serve
    for path in sorted(ROOT.glob("echo/*_server.py"))
}
every_server = pytest.mark.parametrize("serve", SERVERS.values(), ids=SERVERS)

sloppy = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # the server, not we


def eventually(condition, seconds=5):
    """Whether it holds after a while: a thread needs a moment to be gone."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.001)
    return condition()


def tcp_sockets():
    """The TCP sockets that this process holds, whoever made them, by their inodes."""
    inodes = set()
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            inodes.update(re.findall(r"^socket:\[(\d+)\]$", os.readlink(f"/proc/self/fd/{fd}")))
    table = Path("/proc/self/net/tcp").read_text("ascii").splitlines()[1:]
    return inodes.intersection(line.split()[9] for line in table)


STAY = set()  # threads that cannot be ended


def forget(server):
    """A thread that stays is the subject of a test; the next one shall not hear of it."""
    STAY.update(server.threads)
    with threads.lock:
        server_module.servers.pop(server, None)
        if not server_module.servers:
            threading.Thread.start = threads.real_start


@contextlib.contextmanager
def in_less_than(seconds):
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


def run_python(source, *arguments):
    """What a process of its own prints; it must say nothing on stderr."""
    done = subprocess.run(
        [sys.executable, "-c", source, *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stderr, done.returncode) == ("", 0), done.stderr
    return done.stdout


def returns(listener):
    pass


def not_told(*_):
    raise sleep.NotTold
