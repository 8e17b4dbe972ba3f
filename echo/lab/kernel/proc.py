"""What stands in a file of /proc."""

import os

A_FILE = 16 * 1024  # bytes: those that say something about one thread or process are shorter


def read_at_once(path: str) -> str:
    """A short file, in three system calls; open() makes seven for it.

    Each lets go of the GIL, and beside a thread that only computes it takes 5 ms to get it back.
    Raises OSError if there is none, or what it is about has ended.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, A_FILE).decode("ascii", "replace")
    finally:
        os.close(fd)
