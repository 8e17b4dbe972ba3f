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
    limit becomes the lowest free number.  It takes nothing away: what is open stays open, and
    closing a descriptor below the limit makes room for one.  Every thread is affected, so the
    block should be short.  Afterwards the limit is what it was, also after an interrupt.
    """
    write_history()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        lowest = os.dup(0)  # the lowest free number
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def write_history() -> None:
    """Let IPython store the running cell now: its thread opens a file for that (sqlite)."""
    with contextlib.suppress(ImportError, AttributeError):
        from IPython import get_ipython

        get_ipython().history_manager.writeout_cache()
