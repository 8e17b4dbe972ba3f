"""A herd of processes at one listener: whom a client wakes, and that no process stays."""

import select
import signal
import time

import pytest

from echo.lab import herd
from echo.lab.run import herd as herd_module

EXCLUSIVE = select.EPOLLIN | select.EPOLLEXCLUSIVE
pytestmark = pytest.mark.usefixtures("no_process_stays")


@pytest.mark.timing
def test_without_a_flag_each_client_wakes_every_worker():
    """And one of them gets it; which one differs."""
    found = herd(select.EPOLLIN, workers=3, clients=5)
    assert found.woken == [5, 5, 5]
    assert sum(found.accepted) == 5


@pytest.mark.timing
def test_edge_triggered_is_no_remedy():
    """Each has an epoll instance of its own, and each instance hears of the edge."""
    found = herd(select.EPOLLIN | select.EPOLLET, workers=3, clients=5)
    assert found.woken == [5, 5, 5]


@pytest.mark.timing
def test_exclusive_wakes_one_and_always_the_same():
    assert herd(EXCLUSIVE, workers=3, clients=5) == ([5, 0, 0], [5, 0, 0])


@pytest.mark.timing
def test_a_stopped_worker_is_passed_over():
    """It is not asleep in epoll_wait, so the kernel goes on to the next in its queue."""
    assert herd(EXCLUSIVE, workers=3, clients=5, stopped=1) == ([0, 5, 0], [0, 5, 0])


@pytest.mark.timing
def test_flags_that_the_kernel_refuses_are_told():
    """EPOLLEXCLUSIVE and EPOLLONESHOT exclude each other (epoll_ctl(2), EINVAL)."""
    with pytest.raises(RuntimeError, match="worker 0 has ended: does the kernel know these flags"):
        herd(EXCLUSIVE | select.EPOLLONESHOT)


@pytest.mark.timing
def test_a_worker_that_is_lost_is_told(monkeypatch):
    """Not waited for."""
    real = herd_module.worker

    def doomed(*arguments):
        process = real(*arguments)
        process.send_signal(signal.SIGKILL)
        process.wait()
        return process

    monkeypatch.setattr(herd_module, "worker", doomed)
    began = time.monotonic()
    with pytest.raises(RuntimeError, match="a worker has ended"):
        herd(workers=2, clients=3)
    assert time.monotonic() - began < herd_module.WOKEN
