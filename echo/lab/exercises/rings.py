"""The check of an exercise on io_uring: a server that has the kernel accept its clients."""

import select
import socket
from collections.abc import Callable
from typing import Any

from echo.lab.conformance import check, is_stub
from echo.lab.conformance.subject import BUFFER
from echo.lab.record.tape import Tape
from echo.lab.run.server import start
from echo.lab.run.threads import Crashed

READS_LATE = 300_000  # bytes: more than the kernel takes back from the server while nobody reads


def check_accept(serve: Callable[..., Any], until: str) -> None:
    """Judge a server on io_uring that has the kernel accept its clients.

    `until`: the last requirement of the suite that it is put to, as check() takes it.
    """
    if not is_stub(serve):
        if fault := not_on_the_ring(serve):
            print(f"FAIL  accepts its clients on the ring\n\n      {fault}")
            return
        if fault := loses_a_rest(serve):
            print(f"FAIL  sends the rest of a send that took only a part\n\n      {fault}")
            return
    check(serve, until=until)


def not_on_the_ring(serve: Callable[..., Any]) -> str:
    """What a server does in place of an accept on the ring; empty if nothing."""
    tape = Tape()
    try:
        with start(serve, tape) as server:
            for _ in range(2):
                with server.connect() as client:
                    client.send(b"hello")
    except (OSError, Crashed):
        return ""  # the suite says it better
    if "accept4" in tape.names() or "accept4" in tape.sleeps():
        return "it calls accept() itself: submit ACCEPT, and take the descriptor from the result"
    if "io_uring_enter" not in tape.names() + tape.sleeps():
        return "it never enters a ring: make a Ring(), and call its wait() in a loop"
    return ""


def loses_a_rest(serve: Callable[..., Any]) -> str:
    """How much of a late reader's answer is missing; empty if nothing is.

    The suite sees that too, but not of a server whose own buffers are small: most of its sends
    are taken whole.
    """
    try:
        with start(serve, buffer=BUFFER) as server, server.connect() as client:
            client.setblocking(False)
            sent = came = 0
            while sent < READS_LATE and select.select([], [client], [], 0.3)[1]:
                sent += client.send(bytes(min(4000, READS_LATE - sent)))
            client.settimeout(2)
            client.shutdown(socket.SHUT_WR)
            while data := client.recv(100_000):
                came += len(data)
    except (OSError, Crashed):
        return ""  # the suite says it better
    if 0 < came < sent:
        return (
            f"a client sent {sent:,} bytes and then began to read; {came:,} came back:"
            "\n      the result of a SEND says how many bytes it took"
        )
    return ""
