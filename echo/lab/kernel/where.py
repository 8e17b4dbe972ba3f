"""Where a thread is: asleep in which system call, or running."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from echo.lab.kernel.processes import lives
from echo.lab.kernel.sleep import ONE, NotTold, Sleep, each_asleep

LASTS = 0.02  # seconds that a state must last to be told: what was sent may be on its way


class Located(Protocol):
    """What can say itself where it is: a server of ours, in a thread or in a process."""

    def where_is(self) -> str: ...


def where_is(who: Located | threading.Thread | int) -> str:
    """What a thread is doing now: "asleep in pselect6", "asleep in recvfrom, waiting for client 1",
    "running", "ended".

    `who`: a server, a thread, or the number of a process that may be looked at (its parent may,
    ptrace(2)); of several threads, what each does.  The names are those of system calls
    (proc(5): /proc/<pid>/task/<tid>/syscall).
    """
    if not isinstance(who, threading.Thread | int):
        return who.where_is()
    while tids := tids_of(who):
        with contextlib.suppress(ProcessLookupError):  # one thread fewer: look again
            return in_words(tids, {}, who if isinstance(who, int) else "self")
    return "ended"


def in_words(tids: list[int], roles: dict[int, str], pid: int | str = "self") -> str:
    """What these threads of a process do now; `roles`: descriptor -> who is there.

    Raises ProcessLookupError if one of them has ended.
    """
    try:
        return "; ".join(doing(each_asleep(tids, pid), roles))
    except NotTold as untold:
        return f"running or asleep: {untold.__doc__}"


def watch(who: Located | threading.Thread | int, during: Callable[[], Any]) -> list[str]:
    """What a thread does before, while and after during() runs: each state that lasts, in order.

    One that is over within LASTS seconds is left out: whether it is seen would be chance.
    """
    seen = [where_is(who)]
    over = threading.Event()

    def look() -> None:
        last, since = seen[0], time.monotonic()
        while not over.is_set() or time.monotonic() - since < 2 * LASTS:
            if (now := where_is(who)) != last:
                last, since = now, time.monotonic()
            elif now != seen[-1] and time.monotonic() - since > LASTS:
                seen.append(now)
            time.sleep(0.001)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        during()
    finally:
        over.set()
        watcher.join()
    return seen


def tids_of(who: threading.Thread | int) -> list[int]:
    if isinstance(who, threading.Thread):
        return [who.native_id] if who.is_alive() and who.native_id is not None else []
    try:
        return [int(tid) for tid in os.listdir(f"/proc/{who}/task")] if lives(who) else []
    except OSError:
        return []


def doing(sleeps: list[Sleep | None], roles: dict[int, str]) -> Iterator[str]:
    """What several threads do, in words; those that wait for a client each are counted."""
    waits: dict[str, list[str]] = {}
    for sleep in sleeps:
        call = "running" if sleep is None else f"asleep in {sleep.call}"
        one = sleep if sleep is not None and sleep.call in ONE else None
        role = roles.get(one.arguments[0], "") if one else ""
        waits.setdefault(call, []).append(role if role.startswith("client") else "")
    for call in sorted(waits):
        clients = sorted(filter(None, waits[call]))
        who = f"{len(clients)} clients" if len(clients) > 1 else "".join(clients)
        yield f"{call}, waiting for {who}" if who else call
