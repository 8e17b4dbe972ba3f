"""strace, where it is installed: which of its names a tape uses, and which it knows here."""

import os
import shutil
import subprocess

import pytest

# What strace calls a call, or the kernel of another machine -> what the tape calls it.
ON_TAPE = {
    "accept4": "accept4",
    "accept": "accept4",
    "recvfrom": "recvfrom",
    "sendto": "sendto",
    "close": "close",
    "pselect6": "pselect6",
    "select": "pselect6",
    "poll": "poll",
    "ppoll": "poll",
    "epoll_create1": "epoll_create1",
    "epoll_ctl": "epoll_ctl",
    "epoll_wait": "epoll_wait",
    "epoll_pwait": "epoll_wait",
    "rt_sigtimedwait": "rt_sigtimedwait",
    "io_uring_enter": "io_uring_enter",
}


def strace():
    """strace's path; where CI runs, a machine without it has failed."""
    path = shutil.which("strace")
    if path is None and not os.environ.get("CI"):
        pytest.skip("strace is not installed")
    assert path, "strace is not installed"
    return path


def name_is_known(program, name):
    """Not every machine has a call of each name."""
    done = subprocess.run(
        [program, "-e", f"trace={name}", "true"], capture_output=True, timeout=20, check=False
    )
    return done.returncode == 0
