"""What a program of ours needs that starts others, and must leave none behind."""

import argparse
import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from echo.lab.kernel.processes import parent_of, pids
from echo.lab.run.rest import PATIENCE

ROOT = Path(__file__).parents[3]  # where `import echo` finds it
PR_SET_CHILD_SUBREAPER = 36  # include/uapi/linux/prctl.h


def adopt() -> None:
    """Become the parent of those whose parents end: so nobody gets away (prctl(2))."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_all() -> None:
    """Kill whatever descends from this process; bounded in time."""
    deadline = time.monotonic() + PATIENCE
    while (children := [pid for pid in pids() if parent_of(pid) == os.getpid()]) and (
        time.monotonic() < deadline
    ):
        for child in children:  # its own children are ours as soon as it has ended
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, os.WNOHANG)
        time.sleep(0.001)


ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; try {self.prog} --help\n")


def interrupt(number: int, frame: object) -> None:
    """Once; what is left to do after it must not be interrupted again."""
    for other in ENDS:
        signal.signal(other, signal.SIG_IGN)
    raise KeyboardInterrupt


@contextlib.contextmanager
def leaving_nobody() -> Iterator[None]:
    """A signal that ends us is a KeyboardInterrupt inside; whoever we started has ended after it.

    SIGHUP stays ignored where nohup(1) has had it ignored.
    """
    for number in ENDS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, interrupt)
    adopt()
    try:
        yield
    finally:
        end_all()
