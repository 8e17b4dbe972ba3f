"""How a count, a role, a flag and a refusal are said."""

import functools
import re

# Of poll() and epoll, in the order in which they are shown (poll.h, eventpoll.h).
FLAGS = {1: "IN", 2: "PRI", 4: "OUT", 8: "ERR", 16: "HUP", 32: "NVAL", 0x2000: "RDHUP",
         1 << 28: "EXCLUSIVE", 1 << 30: "ONESHOT", 1 << 31: "ET"}  # fmt: skip


def amount(count: int, noun: str) -> str:
    """1 call, 2 calls; 1 entry, 2 entries."""
    several = f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}s"
    return f"{count} {noun if count == 1 else several}"


@functools.lru_cache(maxsize=500)
def in_order(role: str) -> tuple[bool, int, str]:
    """The listener first, then the clients by number."""
    number = role.rpartition(" ")[2]
    return role != "listener", int(number) if number.isdigit() else 0, role


def client_number(role: str) -> int:
    """12 of "client 12"; 0 of any other role."""
    return in_order(role)[1] if role.startswith("client ") else 0


@functools.lru_cache(maxsize=1000)
def flag_names(events: int) -> str:
    """IN|OUT for 5; 0 where no flag is set."""
    return "|".join(name for bit, name in FLAGS.items() if events & bit) or "0"


def ring_refused(said: str) -> str:
    """What echo.ring says where there is no io_uring, if `said` contains it; empty otherwise."""
    found = re.search(r"no io_uring here: .*?(?= \([^()]*\bline \d+|$)", said, re.MULTILINE)
    return found[0] if found else ""
