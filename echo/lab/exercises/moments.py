"""Hold a loop where it reads what woke it, until another thread has asked it for something.

    with held_at_read(thread, ask, before=True) as moment:
        ...                 # wake the loop; before it reads, ask() runs in another thread
    moment.came             # whether it has read anything

A loop that empties its list first, and reads its eventfd after that, loses what is asked for in
between.  In between are a few microseconds, which luck finds rarely, and this finds each time.
(sys.settrace() could stop the loop in any line.  In Python 3.11 a traced thread never gets past
its first instruction once another thread has ended with an asynchronous exception, as those of
our servers do.)
"""

import contextlib
import functools
import os
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

LOCKED = 0.1  # seconds after which the loop goes on: it may hold the lock that the asker needs
READERS: tuple[tuple[Any, str], ...] = (
    (os, "eventfd_read"),
    (os, "read"),
    (socket.socket, "recv"),
)


class Moment:
    """The first time that a thread reads a descriptor."""

    def __init__(self, thread: threading.Thread, ask: Callable[[], object], before: bool) -> None:
        self.thread, self.ask, self.before = thread, ask, before
        self.came = False

    def in_between(self) -> None:
        self.came = True
        asker = threading.Thread(target=self.ask, daemon=True)
        asker.start()
        asker.join(LOCKED)

    def read(self, real: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """What the thread calls in place of the real function."""
        now = not self.came and threading.current_thread() is self.thread
        if now and self.before:
            self.in_between()
        try:
            return real(*arguments, **named)
        finally:
            if now and not self.before:
                self.in_between()


@contextlib.contextmanager
def held_at_read(
    thread: threading.Thread, ask: Callable[[], object], before: bool
) -> Iterator[Moment]:
    """Inside the block, `ask` is called once: just before the thread reads, or just after."""
    moment = Moment(thread, ask, before)
    with contextlib.ExitStack() as stack:
        for owner, name in READERS:
            real = getattr(owner, name)
            stand_in: Any = functools.partial(moment.read, real)
            if owner is socket.socket:  # a partial is no method: it would not be given the socket
                stand_in = functools.partialmethod(called_with, moment, real)
            stack.enter_context(mock.patch.object(owner, name, stand_in))
        yield moment


def called_with(sock: socket.socket, moment: Moment, real: Any, *arguments: Any) -> Any:
    return moment.read(real, sock, *arguments)
