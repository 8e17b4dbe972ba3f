"""What a server is made of, as a table: its threads, its descriptors, its epoll entries.

    anatomy(server)                       # one server, part by part
    anatomy(ours=server, theirs=other)    # several, a row each
    timeout_of(server)                    # what the wait in which it sleeps was given

A server made by start(), a process of the bench, or the number of a process that may be looked
at (its parent may, ptrace(2)).  The kernel is asked; kernel.anatomy says where.
"""

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from echo.lab.kernel.anatomy import Parts, parts_of, parts_of_ours, wait_timeout
from echo.lab.kernel.sleep import asleep
from echo.lab.kernel.where import tids_of
from echo.lab.show.tables import Table, table_html, table_text

REST = 2.0  # seconds in which a server comes to rest
SAME_LOOKS = 3  # so often in a row it must look the same,
BETWEEN = 0.01  # so many seconds apart
COUNTED = 3  # threads that are counted; how many more there are may depend on the machine
STEPS = (9, COUNTED)

ONE_HEADS = ("it holds", "how many", "watched for")
ROW_HEADS = ("server", "sleeps in", "threads", "listener", "client", "also watched", "also held")
ALSO = "socket pair", "pipe", "eventfd", "timerfd", "signalfd"


class Anatomy(Table):
    """One server, part by part; what is said of it is in `parts`."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        lines = [
            (kind, how_many(count, kind), parts.watches(kind) or "-")
            for kind, count in parts.holds.items()
        ]
        first = threads_in_words(parts)
        text = f"{first}\n\n{table_text(ONE_HEADS, lines)}"
        super().__init__({"": parts}, text, [table_html(first, ONE_HEADS, lines)])


class Anatomies(Table):
    """Several servers, a row each; row("ours").serves is "epoll_wait"."""

    def __init__(self, rows: Mapping[str, Parts], notes: str = "") -> None:
        lines = [(name, *cells_of(parts)) for name, parts in rows.items()]
        title = "What servers are made of"
        text = table_text(ROW_HEADS, lines)
        super().__init__(dict(rows), text, [table_html(title, ROW_HEADS, lines)], notes)


def anatomy(of: Any = None, **named: Any) -> Table:
    """The threads, descriptors and epoll entries of a server, or of several by name.

    Of a server in a thread of the notebook only its own are shown: its threads, its sockets, and
    its epoll instances with what they watch.
    Raises ProcessLookupError if it has ended.
    """
    if of is not None and not named:
        return Anatomy(parts_at_rest(of))
    return Anatomies({name: parts_at_rest(one) for name, one in named.items()})


def timeout_of(server: Any) -> int | None:
    """The timeout of the wait in which a thread sleeps, in milliseconds; -1: it has no limit.

    `server`: one made by start(), or a thread.  It is the argument that the kernel was given:
    the fourth of epoll_wait(2), the third of poll(2).  None if the thread doesn't sleep in
    either.
    """
    tids = server.tids() if hasattr(server, "tids") else tids_of(server)
    return next((wait_timeout(asleep(tid)) for tid in tids), None)


def parts_at_rest(of: Any) -> Parts:
    """What it is made of, once that stays the same."""
    deadline = time.monotonic() + REST
    found, equal = parts_now(of), 1
    while equal < SAME_LOOKS and time.monotonic() < deadline:
        time.sleep(BETWEEN)
        before, found = found, parts_now(of)
        equal = equal + 1 if found == before else 1
    return found


def parts_now(of: Any) -> Parts:
    if hasattr(of, "members"):
        return parts_of(of.members())
    if hasattr(of, "tids"):
        return parts_of_ours(of)
    if not isinstance(of, int):
        raise TypeError(f"anatomy() takes a server or the number of a process, not {of!r}")
    if not os.path.exists(f"/proc/{of}"):
        raise ProcessLookupError(f"process {of} has ended")
    return parts_of([of])


# -- words -----------------------------------------------------------------------------------


def threads_in_words(parts: Parts) -> str:
    """ "1 thread, asleep in epoll_wait"; several with what the others do."""
    first = what_it_does(parts.serves)
    if not parts.others:
        return f"1 thread, {first}"
    others = "; ".join(
        f"{some(count)} {what_it_does(call)}" for call, count in parts.others.items()
    )
    return f"{at_least(parts.threads)} threads: 1 {first}; {others}"


def what_it_does(call: str) -> str:
    return call if call == "running" else f"asleep in {call}"


def at_least(count: int) -> str:
    """3, "more than 3", "more than 9": what is the same on a machine with more processors."""
    return next((f"more than {step}" for step in STEPS if count > step), str(count))


def some(count: int) -> str:
    return str(count) if count <= COUNTED else "several"


def how_many(count: int, kind: str) -> str:
    """Listeners and clients are counted; of the rest a library may need more or fewer."""
    return str(count) if kind in ("listener", "client") or count <= 2 else "several"


def cells_of(parts: Parts) -> Sequence[str]:
    """The cells of a row."""
    watched = [f"{kind} {flags}" for kind in ALSO if (flags := parts.watches(kind))]
    held = [kind for kind in (*ALSO, "io_uring") if kind in parts.holds]
    held = [kind for kind in held if not parts.watches(kind)]
    return (
        parts.serves,
        at_least(parts.threads),
        parts.watches("listener") or "-",
        parts.watches("client") or "-",
        ", ".join(watched) or "-",
        ", ".join(held) or "-",
    )
