"""What poll() says of a descriptor, flag by flag.

    there, here = connected()                    # the two ends of a TCP connection
    says(here)                                   # OUT
    flags(17)                                    # IN|HUP

Flags go by their names without POLL, in the order in which a tape shows them.
"""

import re
import select
import time
from select import poll  # before anybody puts a stand-in there
from typing import Any

from echo.lab.kernel.where import LASTS
from echo.lab.words import flag_names

ASKED = ("IN", "OUT", "PRI", "RDHUP")  # told to who asks for them
UNASKED = ("ERR", "HUP", "NVAL")  # told to everybody, poll(2)
ALL = sum(getattr(select, f"POLL{name}", 0) for name in ASKED)
NONE = "nothing"  # how an answer without a flag is told


class Flags(str):
    """Names of flags, "IN|OUT".  Equal to the same names in any order, or in a list or set."""

    def __repr__(self) -> str:
        return str(self)

    def __eq__(self, other: object) -> bool:
        return names(self) == names(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(names(self))

    def __contains__(self, name: object) -> bool:
        return name in names(self)

    def __iter__(self) -> Any:
        return iter(self.split("|") if names(self) else ())

    def __len__(self) -> int:
        return len(names(self))


def names(answer: object) -> frozenset[str]:
    """The names in "IN|OUT", "in out", "POLLIN", ["IN", "OUT"] or a number; "" for the unknown."""
    if isinstance(answer, int) and not isinstance(answer, bool):
        return names(str.__str__(flags(answer)))
    if isinstance(answer, str):
        words = re.findall(r"\w+", str.__str__(answer).upper())
        words = [word.removeprefix("POLL") for word in words]
        return frozenset(word for word in words if word not in ("NOTHING", "NONE", "0"))
    if isinstance(answer, list | tuple | set | frozenset):
        return frozenset().union(*map(names, answer))
    return frozenset([""])


# What poll() says of an end of a TCP connection: (bytes unread, whether the other side has
# finished sending, whether this side has, whether there is room to send) -> its answer.
# tests/lab/kernel/test_poll.py asks the kernel.
CASES = {
    (0, False, False, True): Flags("OUT"),
    (5, False, False, True): Flags("IN|OUT"),
    (0, False, False, False): Flags(NONE),
    (5, False, False, False): Flags("IN"),
    (0, True, False, True): Flags("IN|OUT|RDHUP"),
    (5, True, False, False): Flags("IN|RDHUP"),
    (0, False, True, True): Flags("OUT"),
    (0, False, True, False): Flags("OUT"),  # a send() fails, and need not wait for that
    (0, True, True, True): Flags("IN|OUT|HUP|RDHUP"),
}


def flags(events: int) -> Flags:
    """The names of the bits that poll() has set: flags(5) is IN|OUT."""
    return Flags(flag_names(events) if events else NONE)


def says(descriptor: Any) -> Flags:
    """What poll() says of a socket or a descriptor if it is asked for all that can be asked.

    It does not wait for anything to become ready.  Raises ValueError for a socket object that
    is closed: it has no number any more.
    """
    poller = poll()
    poller.register(descriptor, ALL)
    answer, before = poller.poll(0), None
    while answer != before:
        time.sleep(LASTS)
        answer, before = poller.poll(0), answer
    return flags(answer[0][1] if answer else 0)
