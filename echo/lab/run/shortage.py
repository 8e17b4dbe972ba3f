"""The descriptors of this process, where it matters which are free.

with no_descriptors():
    outcome(listener.accept)         # "EMFILE"

settle_descriptors()                 # from here on, the numbers are the cell's
"""

import contextlib
import gc
import os
import resource
import time
from collections.abc import Iterator

from echo.lab.kernel.processes import own_descriptors

OTHERS_END = 0.5  # seconds until others have opened and closed what they were about to
UNCHANGED = 0.005  # seconds after which a second look is enough


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    """Inside the block this process cannot open anything: EMFILE (getrlimit(2), RLIMIT_NOFILE).

    The kernel always gives out the lowest free number, and none from the soft limit on.  So the
    numbers that are free below the highest open one are taken, and the limit becomes the next.
    What is open stays open, and closing any of it makes room for one, as in a real shortage.
    Every thread is affected, so the block should be short.  Afterwards the limit is what it was,
    also after an interrupt.
    """
    settle_descriptors()
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


def settle_descriptors() -> None:
    """Return when nobody else in this process is about to open or close a descriptor.

    The kernel gives out the lowest free number, whoever asks for one.  So what others close makes
    room that a cell did not count on, and what they open takes the number that it waits for.  They
    are: IPython, which stores each cell in a file while that cell runs already; garbage that holds
    sockets; and servers whose clients were garbage.  Waits for the last at most half a second.
    """
    gc.collect()
    write_history()
    deadline = time.monotonic() + OTHERS_END
    while True:
        before = dict(own_descriptors())
        time.sleep(UNCHANGED)
        if dict(own_descriptors()) == before or time.monotonic() > deadline:
            return


def write_history() -> None:
    """Let IPython store the running cell now; after this its thread finds nothing to write."""
    with contextlib.suppress(ImportError, AttributeError):
        from IPython import get_ipython

        get_ipython().history_manager.writeout_cache()
