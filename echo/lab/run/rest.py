"""When a server has finished reacting, and how to wait for a state."""

import ast
import contextlib
import inspect
import socket
import textwrap
import time
from collections.abc import Callable
from typing import Any, Protocol

from echo.lab.kernel.sockets import unread

PATIENCE = 2.0  # seconds that a reaction may take
ACCEPTANCE = 10.0  # seconds for thousands of clients to be accepted
SPINS = 0.03  # seconds of processor time after which we ask whether it moves anything at all
RESTLESS = 50  # times a second that nobody needs to wake up who waits for something to happen


class Restless(Protocol):
    """A server, as far as its coming to rest is concerned: one of ours, or a process."""

    def settle(self, patience: float = ...) -> None: ...
    def times_slept(self) -> int: ...
    def cpu(self) -> float: ...


class Asking(Restless, Protocol):
    """One of ours, whose sockets can be looked at."""

    asked_in_vain: int

    @property
    def listener(self) -> socket.socket: ...

    def accepted(self) -> list[socket.socket]: ...
    def tids(self) -> list[int]: ...


def settle(server: Restless, patience: float = PATIENCE) -> None:
    """Return when the server has finished reacting to whatever has happened so far.

    Raises TimeoutError after `patience` seconds.
    """
    server.settle(patience)


def settle_patiently(server: Restless) -> None:
    """settle() with patience for thousands of new clients; a server that is busy is let be."""
    with contextlib.suppress(TimeoutError):
        server.settle(ACCEPTANCE)


def asks_in_vain(server: Asking) -> bool:
    """It has looked for clients twice, found none, and nothing has moved meanwhile."""
    before = server.asked_in_vain
    return nothing_moves(server, seconds=0.005) and server.asked_in_vain - before >= 2


def nothing_moves(server: Asking, seconds: float) -> bool:
    before = unread_by(server)
    time.sleep(seconds)
    return unread_by(server) == before


def unread_by(server: Asking) -> list[int]:
    return unread([server.listener, *server.accepted()])


def until(condition: Callable[[], Any], seconds: float = 5) -> Any:
    """Wait until condition() holds, and return what it returned.

    A state of TCP often comes a moment after the call that causes it.
    Raises TimeoutError after `seconds`, with what the condition says in the source.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} seconds: {text_of(condition)}")
        time.sleep(0.001)
    return value


def text_of(condition: Callable[[], Any]) -> str:
    """What stands behind `lambda:`, or the name of a function."""
    name = getattr(condition, "__name__", repr(condition))
    if name == "<lambda>":
        with contextlib.suppress(OSError, SyntaxError):
            tree = ast.parse(textwrap.dedent(inspect.getsource(condition)))
            found = [node for node in ast.walk(tree) if isinstance(node, ast.Lambda)]
            if len(found) == 1:
                return ast.unparse(found[0].body)
    return name
