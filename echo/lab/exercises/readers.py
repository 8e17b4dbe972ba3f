"""Judge a reader that a learner has written."""

import os
import socket
import time
from collections.abc import Callable
from typing import Any

from echo.lab.conformance.verdict import is_stub
from echo.lab.display import say
from echo.lab.exercises.forms import no_function
from echo.lab.record.phase import Phase, phase_words
from echo.lab.record.reader import BYTE, Reader
from echo.lab.run.rest import settle, until
from echo.lab.run.threads import Crashed

SILENCE = 0.1  # seconds in which who sleeps makes no call


def check_reader(read: Callable[..., Any]) -> None:
    """Judge a reader for a non-blocking socket: it sleeps, and takes no hint for a promise."""
    if why := no_function(read):
        say("open", f"{why[:1].upper()}{why[1:]}.")
        return
    if is_stub(read):
        say("open", f"Not attempted yet: replace the ... in {read.__name__}().")
        return
    for what, trial in TRIALS.items():
        try:
            reader = Reader(read, blocking=False)
            try:
                said = reader.crash or trial(reader)
            finally:
                reader.end()
        except Crashed as crash:
            said = str(crash)
        except TimeoutError:
            said = "a byte has arrived, and the reader does not react"
        if said:
            said = said.replace("the server", "the reader")
            say("wrong", f"FAIL  {what}\n\n      {said}")
            return
        print(f"pass  {what}")
    say("right", f"\nRight: {len(TRIALS)} of {len(TRIALS)}.")


def returns(reader: Reader, expected: bytes) -> str:
    """Empty if it returns what it should, else what came instead."""
    try:
        until(lambda: reader.done, seconds=2)
    except TimeoutError:
        return f"expected {expected!r}; it has returned nothing and is {reader.waits()}"
    if reader.crash:
        return reader.crash
    return "" if reader.result == expected else f"expected {expected!r}, got {reader.result!r}"


def a_late_byte(reader: Reader) -> str:
    if reader.done:
        return f"nothing had arrived yet, and it returned {reader.result!r}"
    reader.client.send(BYTE + b"?")  # the second is nobody's business yet
    if said := returns(reader, BYTE):
        return said
    return "" if reader.unread() == 1 else "it returned the byte, and left it in the kernel"


def sleeps(reader: Reader) -> str:
    """Not in a recv() that was made blocking again, nor for a moment at a time."""
    if os.get_blocking(reader.conn.fileno()):
        return f"the socket is blocking now: the thread is {reader.waits()}"
    asked, where = reader.asked(), reader.waits()
    if "nanosleep" in where:
        return f"it is {where}, whether a byte arrives or not"
    if where != "running":
        time.sleep(SILENCE)
        if reader.asked() == asked:
            return ""
    return (
        f"nothing has arrived, and it goes on asking: {phase_words(Phase('', reader.tape[-1:]))[1]}"
    )


def told_in_vain(reader: Reader) -> str:
    """Somebody else takes the byte between the notice and the recv()."""
    tape = reader.tape
    tape.hold()
    reader.client.send(BYTE)
    until(lambda: tape.at_gate() or reader.done)
    if reader.done and not reader.crash and reader.conn.gettimeout():
        return "the exercise rules out settimeout(), with which Python does the waiting for you"
    if reader.done:
        return reader.crash or f"it returned {reader.result!r} without a conn.recv()"
    socket.socket.recv(reader.conn, 1)
    asked = reader.asked()
    tape.open_gate()
    until(lambda: reader.asked() > asked or reader.done)  # it sleeps at the gate a little longer
    settle(reader)
    if reader.crash:
        return f"another thread was faster, and then {reader.crash}"
    if reader.done:
        return f"another thread was faster, and it returned {reader.result!r}"
    if said := sleeps(reader):
        return f"another thread was faster, and since then {said}"
    reader.client.send(BYTE)
    return returns(reader, BYTE)


def the_end(reader: Reader) -> str:
    reader.client.shutdown(socket.SHUT_WR)
    return returns(reader, b"")


TRIALS = {
    "returns a byte that comes late": a_late_byte,
    "sleeps until it comes, and leaves the socket non-blocking": sleeps,
    "keeps waiting if another thread has taken the byte": told_in_vain,
    'returns b"" at the end': the_end,
}
