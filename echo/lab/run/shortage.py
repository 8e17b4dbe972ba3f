"""A process without a free descriptor, for as long as a block lasts.

with no_descriptors():
    outcome(listener.accept)         # "EMFILE"
"""

import contextlib
import os
import resource
from collections.abc import Iterator


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    """Inside the block this process cannot open anything: EMFILE (getrlimit(2), RLIMIT_NOFILE).

    The kernel always gives out the lowest free number, and none from the soft limit on.  So the
    numbers that are free below the highest open one are taken, and the limit becomes the next.
    What is open stays open, and closing any of it makes room for one, as in a real shortage.
    Every thread is affected, so the block should be short.  Afterwards the limit is what it was,
    also after an interrupt.
    """
    write_history()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    try:
        highest = max(map(int, os.listdir("/proc/self/fd")))
        with contextlib.suppress(OSError):  # the limit was lower already, and all is taken
            while not taken or taken[-1] <= highest:
                taken.append(os.dup(0))
            free = taken.pop()
            os.close(free)
            resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for number in taken:
            os.close(number)


def write_history() -> None:
    """Let IPython store the running cell now: its thread opens a file for that (sqlite)."""
    with contextlib.suppress(ImportError, AttributeError):
        from IPython import get_ipython

        get_ipython().history_manager.writeout_cache()
