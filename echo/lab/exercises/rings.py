"""The check of an exercise on io_uring: a server that has the kernel accept its clients."""

from collections.abc import Callable
from typing import Any

from echo.lab.conformance import check, is_stub
from echo.lab.record.tape import Tape
from echo.lab.run.server import start
from echo.lab.run.threads import Crashed


def check_accept(serve: Callable[..., Any], until: str) -> None:
    """Judge a server on io_uring that has the kernel accept its clients.

    `until`: the last requirement of the suite that it is put to, as check() takes it.
    """
    if not is_stub(serve) and (fault := not_on_the_ring(serve)):
        print(f"FAIL  accepts its clients on the ring\n\n      {fault}")
        return
    check(serve, until=until)


def not_on_the_ring(serve: Callable[..., Any]) -> str:
    """What a server does in place of an accept on the ring; empty if nothing."""
    tape = Tape()
    with start(serve, tape) as server:
        try:
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
