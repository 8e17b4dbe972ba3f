"""The checks of two exercises on io_uring: a server that accepts on the ring, and an order."""

import errno
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
        print(f"FAIL  has its clients accepted on the ring\n\n      {fault}")
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


def check_order(answer: Any, run: Callable[[], list[Any]], explained: str) -> None:
    """Compare a list, place by place, with what `run()` returns.

    An error may be given by its name, "EBADF", or as the number in the result, -9.  `run` is
    called when there is an answer.  `explained`: the heading of the section that tells why.
    """
    if answer is ... or ... in answer:
        print("Not attempted yet: replace each ... by what you expect.")
        return
    measured, said = ([named(one) for one in each] for each in (run(), answer))
    if len(said) != len(measured):
        print(f"{len(measured)} answers, please: here are {len(said)}.")
        return
    right = [str(a).strip().lower() == str(b).lower() for a, b in zip(said, measured, strict=True)]
    for one, good in zip(said, right, strict=True):
        print(f"{'yes' if good else 'no':3}  {one}")
    if all(right):
        print("\nRight.")
    else:
        wrong = [str(place) for place, good in enumerate(right, 1) if not good]
        print(f'\nNot yet: look at number {", ".join(wrong)}. "{explained}" shows why.')


def named(one: Any) -> Any:
    """An error by its name."""
    if isinstance(one, int) and one < 0:
        return errno.errorcode.get(-one, one)
    return one.removeprefix("-") if isinstance(one, str) else one
