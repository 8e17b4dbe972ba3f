"""Fixtures for the tests of the lab: what none may leave, a pretended notebook, a file."""

import os
import textwrap
import threading
from types import SimpleNamespace

import IPython
import pytest

from echo.lab.kernel.processes import parent_of, pids
from echo.lab.run import server as server_module
from echo.lab.run import threads as threads_module
from tests.lab.bench import STAY, eventually, forget, tcp_sockets
from tests.lab.processes import left


@pytest.fixture
def nothing_is_left(capfd):
    """Each test leaves no thread, no socket and no word on stderr behind."""
    threads, sockets = set(threading.enumerate()), tcp_sockets()
    yield
    servers = list(server_module.servers)
    for server in servers:
        server.end()
        forget(server)
    assert not servers
    assert threading.Thread.start is threads_module.real_start
    assert eventually(lambda: set(threading.enumerate()) <= threads | STAY)
    # A ring gives its own back a moment later; also one of the test before, whose were counted.
    assert eventually(lambda: tcp_sockets() <= sockets)
    assert capfd.readouterr().err == ""


@pytest.fixture
def printed(capfd):
    """A function: what has been printed since it was last asked."""

    def printed():
        out, err = capfd.readouterr()
        assert err == ""
        return out

    return printed


@pytest.fixture
def hurried(monkeypatch):
    """The bench does not wait for servers that never come to rest."""
    monkeypatch.setattr(server_module, "REACTION", 0.02)


@pytest.fixture
def notebook(monkeypatch):
    """A pretended notebook; notebook.run(cell, run) says which cell runs now."""
    parent = {"metadata": {}, "content": {"code": ""}, "header": {}}
    shell = SimpleNamespace(get_parent=lambda: parent, user_ns={}, custom_exceptions=(Exception,))
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)

    def run(cell, run, source="start(serve)"):
        parent["metadata"] = {"cellId": cell} if cell else {}
        parent["content"] = {"code": source}
        parent["header"] = {"msg_id": run}

    return SimpleNamespace(run=run, names=shell.user_ns)


@pytest.fixture
def write(tmp_path):
    """A function: a file with that source."""

    def write(source, name="server.py"):
        path = tmp_path / name
        path.write_text(textwrap.dedent(source))
        return path

    return write


@pytest.fixture
def nobody_is_left(tmp_path):
    """No process whose command line names a file of this test outlives it."""
    yield
    assert left(tmp_path) == []


@pytest.fixture
def no_process_stays():
    """Each program that a test has started is gone, with all its processes."""
    before = children()
    yield
    assert children() == before


def children():
    return {pid for pid in pids() if parent_of(pid) == os.getpid()}
