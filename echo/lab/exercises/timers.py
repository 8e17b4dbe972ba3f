"""The check of an exercise on timers: a server that closes each client after a limited time.

    check_timers(serve)        # serve(listener, limit): seconds that a client may stay

The suite judges what clients see.  Whether the server waits for its nearest timer, or looks at
the clock now and then, is seen in the timeout that the kernel was given (proc(5), syscall).
"""

import time
from collections.abc import Callable
from typing import Any

from echo.lab.conformance import check, is_stub
from echo.lab.display import say
from echo.lab.kernel.anatomy import wait_timeout
from echo.lab.kernel.sleep import asleep
from echo.lab.run.rest import until
from echo.lab.run.server import Server, start
from echo.lab.run.threads import Crashed

HOUR = 3600
SHORT = 1.0  # seconds: how long a client may stay when we wait for its end
SLACK = 60  # seconds that a machine may stand still between the timer and our look
NEVER = 5.0  # seconds after which a client that should have been closed never will be
UNTIL = "survives a client that resets"
LATER = 0.3  # seconds between two clients, or between a client and its first word
ROUNDING = 2  # milliseconds


class Overdue(float):
    """A time in the past that has only become so after the server compared it with the clock.

    Between that look and its wait a timer may become due; here it always does.
    """

    looks = 0

    def __le__(self, other: float) -> bool:
        self.looks += 1
        return self.looks > 1 and float(self) <= other


class Passing(float):
    """A limit that has passed when the server comes to wait for it: its timers are Overdue."""

    def __add__(self, now: float) -> Overdue:
        return Overdue(now - 1)

    __radd__ = __add__


def check_timers(serve: Any) -> None:
    """Judge a server serve(listener, limit) that closes a client after `limit` seconds."""
    if is_stub(serve):
        say("open", "Not attempted yet: replace the ... in serve().")
        return
    try:
        fault = fault_of_waiting(serve)
    except (OSError, Crashed, RuntimeError) as error:
        fault = f"the server has ended: {error}" if isinstance(error, Crashed) else str(error)
    if fault:
        say("wrong", f"FAIL  waits for its nearest timer\n\n      {fault}")
        return
    print("pass  waits for its nearest timer")
    check(serve, until=UNTIL)


def fault_of_waiting(serve: Callable[..., Any]) -> str:
    """What is wrong with how it waits; "" if nothing is."""
    with start(lambda listener: serve(listener, HOUR)) as server:
        if server.crash is not None:
            return f"without a client: {server.crash}"
        given = timeout_at_rest(server)
        if given != -1:
            return f"without a client there is no timer, and {said(given)}"
        client = server.connect()
        time.sleep(0.01)
        if server.crash is not None:
            return f"after the first client has connected: {server.crash}"
        given = timeout_at_rest(server)
        if given is None or not (HOUR - SLACK) * 1000 <= given <= HOUR * 1000 + 1:
            return f"its only client may stay for an hour, and {said(given)}"
        time.sleep(LATER)
        most = (HOUR - LATER) * 1000 + ROUNDING
        client.send(b"hello")
        client.recv(100)
        given = timeout_at_rest(server)
        if given is None or given > most:
            return (
                f"a client that has used up {LATER:g} seconds of its hour speaks, and then "
                f"{said(given)}: the whole hour again, and not what is left of it"
                if given is not None
                else f"after the first word of a client {said(given)}"
            )
        server.connect()
        given = timeout_at_rest(server)
        if given is None or given > most:
            return (
                f"of two clients, the second came {LATER:g} seconds later, and {said(given)}: "
                "that is when the time of the second is over, and the first will be late"
                if given is not None
                else f"with two clients {said(given)}"
            )
    return fault_of_closing(serve) or fault_when_overdue(serve)


def fault_when_overdue(serve: Callable[..., Any]) -> str:
    """What becomes of a timer that is due between the look at the clock and the wait."""
    with start(lambda listener: serve(listener, Passing(SHORT))) as server:
        client = server.connect()
        client.settimeout(NEVER)
        try:
            client.recv(100)
        except TimeoutError:
            return (
                "a timer became due after the server had looked at the clock and before it "
                f"waited, and {said(timeout_at_rest(server))}; its client is still connected"
            )
        except ConnectionError:
            pass
    return str(server.crash or "")


def fault_of_closing(serve: Callable[..., Any]) -> str:
    """What is wrong with when it closes a client; "" if nothing is."""
    with start(lambda listener: serve(listener, SHORT)) as server:
        client = server.connect()
        client.settimeout(NEVER)
        client.send(b"hello")
        if client.recv(100) != b"hello":
            return "a client that speaks at once is closed without an answer"
        try:
            data = client.recv(100)
        except TimeoutError:
            return (
                f"a client may stay for {SHORT:g} second, and it is still connected "
                f"{NEVER:g} seconds later; the server is {server.where_is()}"
            )
        if data:
            return f"a client that says nothing more receives {data!r}"
        until(lambda: not server.accepted())
    return ""


def timeout_at_rest(server: Server) -> int | None:
    """What the sleeping wait was given; None if the server does not sleep in a wait."""
    try:
        server.settle()
    except TimeoutError:
        return None
    return next((wait_timeout(asleep(tid)) for tid in server.tids()), None)


def said(given: int | None) -> str:
    if given is None:
        return "the server doesn't sleep in epoll_wait"
    if given == -1:
        return "the kernel was told to wait without a limit"
    about = f"{given // 1000} seconds" if given >= 1000 else f"{given} milliseconds"
    return f"the kernel was told to wait for at most {about}"
