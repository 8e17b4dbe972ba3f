"""What a server is made of, asked of the kernel: its threads, its descriptors, its epoll entries.

    parts_of([pid])            # a process and its children
    parts_of_ours(server)      # a server in a thread of ours

Three files in /proc tell it, without root for one's own processes (proc(5)):
task/<tid>/syscall the call in which a thread sleeps, fd the descriptors, fdinfo what an epoll
instance watches.  Everything here only looks.
"""

import contextlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from echo.lab.kernel.processes import descriptors
from echo.lab.kernel.sleep import NotTold, Sleep, each_asleep, sleeping
from echo.lab.kernel.sockets import ALWAYS
from echo.lab.words import flag_names

RUNNING = "running"
WAITS_FOR_MANY = (
    "select",
    "pselect6",
    "poll",
    "ppoll",
)  # for many descriptors, and no epoll instance
LISTENING = "0A"  # the state of a listener in /proc/net/tcp
# What a descriptor is, in the order in which it is shown; of the first two there is one for each
# connection.  Files, of which a virtual machine opens many, have no part in waiting.
DESCRIPTOR_KINDS = (
    "listener", "client", "epoll", "socket pair", "pipe", "eventfd", "timerfd", "signalfd",
    "io_uring",
)  # fmt: skip


class Entry(NamedTuple):
    """What an epoll instance watches."""

    kind: str  # of DESCRIPTOR_KINDS
    flags: str  # "IN|ET"; ERR and HUP, which every entry has, are left out


class Parts(NamedTuple):
    """What a server is made of."""

    serves: str  # the call in which the thread sleeps that waits for clients; "running"
    others: dict[str, int]  # the calls of the other threads, and in each how many
    holds: dict[str, int]  # descriptors by kind, in the order of DESCRIPTOR_KINDS
    entries: tuple[Entry, ...]  # of all its epoll instances, each kind of entry once

    @property
    def threads(self) -> int:
        return 1 + sum(self.others.values())

    def watches(self, kind: str) -> str:
        """With which flags descriptors of a kind are watched: "IN", or "" for none."""
        return ", ".join(entry.flags for entry in self.entries if entry.kind == kind)


Thread = tuple[int | str, int]  # the process, the thread


def parts_of(pids: Iterable[int]) -> Parts:
    """What these processes are made of, which belong to one server.

    Raises ProcessLookupError if one has ended.
    """
    family = list(pids)
    open_files = {(pid, fd): target for pid in family for fd, target in targets(pid)}
    threads = [(pid, int(tid)) for pid in family for tid in os.listdir(f"/proc/{pid}/task")]
    return put_together([*threads], open_files, lambda pid, tid: sleeping(tid, pid))


def parts_of_ours(server: Any) -> Parts:
    """What a server in a thread of this process is made of.

    Which of the descriptors of this process are its own is known of its sockets and its epoll
    instances, and of what these watch.
    """
    every = dict(targets("self"))
    own = {sock.fileno() for sock in sockets_of(server)}
    tids = server.tids()
    sleeps = dict(zip(tids, each_asleep(tids), strict=True))
    waited = {sleep.arguments[0] for sleep in sleeps.values() if sleep is not None}
    for fd, target in every.items():
        if kind_of(target, {}) == "epoll":
            watched = {number for number, _ in watched_by("self", fd)}
            if own & watched or fd in waited:
                own |= {fd, *watched}
    open_files = {("self", fd): every[fd] for fd in own if fd in every}
    threads = [("self", tid) for tid in tids]
    return put_together(threads, open_files, lambda _, tid: sleeps[tid])


def sockets_of(server: Any) -> list[Any]:
    """Its listener and its clients; none of a loop that serves nobody."""
    return [server.listener, *server.accepted()] if hasattr(server, "listener") else []


def put_together(
    threads: Iterable[tuple[int | str, int]],
    open_files: dict[tuple[Any, int], str],
    sleep_of: Callable[[Any, int], Sleep | None],
) -> Parts:
    """Parts, from the numbers of threads and {(process, descriptor): what it is open on}."""
    inodes = sockets_by_inode()
    kinds = {one: kind_of(target, inodes) for one, target in open_files.items()}
    lists = {
        (pid, fd): list(watched_by(pid, fd)) for (pid, fd), kind in kinds.items() if kind == "epoll"
    }
    serving = {
        one
        for one, watched in lists.items()
        if any(kinds.get((one[0], fd)) == "listener" for fd, _ in watched)
    }
    serving |= {one for one, kind in kinds.items() if kind == "listener"}
    rings = {one for one, kind in kinds.items() if kind == "io_uring"}
    calls, serves = Counter[str](), ""
    for pid, tid in threads:
        try:
            sleep = sleep_of(pid, tid)
        except NotTold:
            sleep = None
        call = RUNNING if sleep is None else sleep.call
        calls[call] += 1
        if sleep is None or serves:
            continue
        waits_for = (pid, sleep.arguments[0])
        if waits_for in serving or waits_for in rings or sleep.call in WAITS_FOR_MANY:
            serves = sleep.call
    serves = serves or (RUNNING if calls[RUNNING] else min(calls, default="nothing"))
    calls[serves] -= 1
    found = Counter(kind for kind in kinds.values() if kind)
    entries = {
        Entry(kinds.get((pid, fd)) or "other", flag_names(events))
        for (pid, _), watched in lists.items()
        for fd, events in watched
    }
    return Parts(
        serves,
        {call: calls[call] for call in sorted(calls) if calls[call]},
        {kind: found[kind] for kind in DESCRIPTOR_KINDS if found[kind]},
        tuple(sorted(entries, key=lambda one: (place_of(one.kind), one.flags))),
    )


def place_of(kind: str) -> int:
    return DESCRIPTOR_KINDS.index(kind) if kind in DESCRIPTOR_KINDS else len(DESCRIPTOR_KINDS)


def targets(pid: int | str) -> Iterator[tuple[int, str]]:
    """Each descriptor of a process, and what it is open on, as /proc writes it."""
    numbers = descriptors(pid) if isinstance(pid, int) else descriptors(os.getpid())
    for fd in sorted(numbers):
        with contextlib.suppress(OSError):  # it has been closed meanwhile
            yield fd, os.readlink(f"/proc/{pid}/fd/{fd}")


def kind_of(target: str, inodes: dict[str, str]) -> str:
    """One of DESCRIPTOR_KINDS; "" for a file, or for a socket of which nothing is known."""
    if target.startswith("socket:"):
        return inodes.get(target[8:-1], "")
    if target.startswith("pipe:"):
        return "pipe"
    name = target.removeprefix("anon_inode:").strip("[]").replace("eventpoll", "epoll")
    return name if name in DESCRIPTOR_KINDS else ""


def sockets_by_inode() -> dict[str, str]:
    """What each socket is by its inode: "listener", "client" or "socket pair"."""
    found = {}
    for name in ("tcp", "tcp6"):
        for words in rows_of(name):
            found[words[9]] = "listener" if words[3] == LISTENING else "client"
    for words in rows_of("unix"):
        found[words[6]] = "socket pair"
    return found


def rows_of(name: str) -> Iterator[list[str]]:
    """The lines of /proc/net/<name>, below the heading, as words."""
    with contextlib.suppress(OSError):
        text = Path(f"/proc/net/{name}").read_text("ascii", "replace")
        yield from (line.split() for line in text.splitlines()[1:])


def watched_by(pid: int | str, epoll: int) -> Iterator[tuple[int, int]]:
    """(descriptor, events) of each entry of an epoll instance, from fdinfo."""
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/fdinfo/{epoll}").read_text("ascii")
        for fd, events in re.findall(r"tfd:\s*(\d+) events:\s*([0-9a-f]+)", text):
            yield int(fd), int(events, 16) & ~ALWAYS


def wait_timeout(sleep: Sleep | None) -> int | None:
    """The timeout that a sleeping wait was given, in milliseconds, -1 for none at all.

    The fourth argument of epoll_wait(2), the third of poll(2).  None of a thread that runs, or
    sleeps in another call.
    """
    place = {"epoll_wait": 3, "poll": 2}.get(sleep.call) if sleep is not None else None
    if sleep is None or place is None:
        return None
    low, high = sleep.arguments[place] & 0xFFFFFFFF, sleep.arguments[place] >> 32
    if high not in (0, 0xFFFFFFFF):  # epoll_pwait2(2): no number, but where a timespec is
        return None
    return low - (1 << 32) if low >> 31 else low
