"""Servers whose names are left out: what the kernel says of them must be enough.

servers = riddle()
servers                  # a table with the rows A to D
servers.names            # who they are, for the check of an exercise
"""

import contextlib
import socket
import sys

from echo.lab.kernel.anatomy import Entry, Parts
from echo.lab.measure.frameworks import REPLY, process_of
from echo.lab.run.foreign import command_of, missing
from echo.lab.show.anatomy import Anatomies, parts_at_rest

OUR_COMMAND = "'{python}' -m echo {name} {{port}}"
HIDDEN = {"A": "trio", "B": "threaded", "C": "asyncio", "D": "epoll_edge"}
# trio 0.35.0 on Linux 6.18, 2026-11-28; tests/lab/measure/test_frameworks.py asks again.
TRIO = Parts(
    "epoll_wait",
    {},
    {"listener": 1, "client": 1, "epoll": 1, "socket pair": 4},
    (
        Entry("listener", "IN|ONESHOT"),
        Entry("client", "IN|ONESHOT"),
        Entry("socket pair", "IN"),
        Entry("socket pair", "IN|ONESHOT"),
    ),
)


class Riddle(Anatomies):
    """Servers without their names; `names`: the names in the order of the rows."""

    names = tuple(HIDDEN.values())


def riddle() -> Riddle:
    """Start four servers, ask the kernel about each, and show the answers without the names.

    Each has one client.  Where one of them cannot run, what was recorded is shown, and a line
    that begins `recorded:` says so.
    """
    rows, absent = {}, False
    for letter, name in HIDDEN.items():
        if name == "trio" and missing(name):
            rows[letter], absent = TRIO, True
        else:
            rows[letter] = parts_with_a_client(name)
    return Riddle(rows, "recorded: one of these servers cannot run here\n" * absent)


def parts_with_a_client(name: str) -> Parts:
    ours = name in ("threaded", "epoll_edge")
    command = OUR_COMMAND.format(python=sys.executable, name=name) if ours else command_of(name)
    process = process_of(name, command)
    with contextlib.ExitStack() as stack:
        stack.callback(process.end)
        client = stack.enter_context(socket.create_connection(process.address, timeout=REPLY))
        client.sendall(b"hello")
        client.recv(100)
        return parts_at_rest(process)
