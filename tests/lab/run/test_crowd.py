"""A crowd in a process of its own: who is answered, and that nothing of it stays."""

import contextlib
import os
import resource

import pytest

from echo import poll_server, select_server
from echo.lab import crowd, start
from echo.lab.run import crowd as crowd_module


def serve_nobody(listener):
    raise ValueError("not today")


@pytest.mark.timing
@pytest.mark.parametrize(
    ("server", "answered"),
    [(poll_server, "all"), (select_server, "a part")],
    ids=["poll", "select"],
)
def test_two_thousand(server, answered):
    """select() serves who has a descriptor below 1024."""
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 2300:
        pytest.skip("too few descriptors are allowed here")
    with start(server.serve) as running:
        with crowd(running, 2000) as many:
            assert many.answered() == answered
            assert many.answered() == answered
            assert many.count == 2000
        assert not running.accepted()


@pytest.mark.timing
def test_fewer_where_descriptors_are_few(monkeypatch, printed):
    """As under a hard limit: nobody can raise it."""
    monkeypatch.setattr(crowd_module, "more_descriptors", lambda _: contextlib.nullcontext())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 100, hard))
    try:
        with start(poll_server.serve) as running, crowd(running, 2000) as many:
            assert many.answered() == "all"
            assert many.count < 100
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert printed().startswith(f"reduced: {many.count} clients, not 2000")


@pytest.mark.timing
def test_without_a_server_it_says_so():
    running = start(serve_nobody)
    try:
        with pytest.raises(RuntimeError, match="is the server still there"), crowd(running, 10):
            pass
    finally:
        running.end()
