"""What the kernel says about a process: its threads, its descriptors, its processor time."""

import contextlib
import os
import re
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from echo.lab.kernel.proc import read_at_once
from echo.lab.kernel.sleep import NotTold, sleeping


def own_descriptors() -> Iterator[tuple[int, tuple[int, int]]]:
    """Each open descriptor of this process, and what it is open on."""
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            status = os.fstat(int(name))
            yield int(name), (status.st_dev, status.st_ino)


def epolls() -> set[int]:
    """The descriptors of this process that are epoll instances."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/self/fd/{name}") == "anon_inode:[eventpoll]":
                found.add(int(name))
    return found


class ThreadState(NamedTuple):
    """A thread at one moment; two equal ones, asleep: it has not been woken in between."""

    state: str
    switches: tuple[str, ...]  # of its own accord (it went to sleep), and not


def thread_state(tid: int, pid: int | str = "self") -> ThreadState | None:
    """None if it has gone."""
    try:
        text = read_at_once(f"/proc/{pid}/task/{tid}/status")
    except OSError:
        return None
    state = text.partition("State:\t")[2][:1]
    return ThreadState(state, tuple(re.findall(r"ctxt_switches:\s*(\d+)", text)))


def touched(pid: int | str = "self") -> int:
    """Bytes of memory that it has touched and that are not swapped out (proc(5), statm)."""
    with contextlib.suppress(OSError, IndexError):
        pages = int(read_at_once(f"/proc/{pid}/statm").split()[1])
        return pages * resource.getpagesize()
    return 0


def kernel_buffers() -> tuple[int, int]:
    """The most bytes that the kernel keeps for one socket: to send, received (tcp(7))."""

    def most(way: str) -> int:
        return max(
            int(Path(f"/proc/sys/net/ipv4/tcp_{way}mem").read_text("ascii").split()[2]),
            2 * int(Path(f"/proc/sys/net/core/{way}mem_max").read_text("ascii")),  # setsockopt()
        )

    return most("w"), most("r")


def pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def session_of(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        return os.getsid(pid)
    return None


def stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the third on; none if it has gone."""
    with contextlib.suppress(OSError):
        return read_at_once(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return []


def lives(pid: int) -> bool:
    return stat(pid)[:1] not in ([], ["Z"], ["X"])


def parent_of(pid: int) -> int | None:
    fields = stat(pid)
    return int(fields[1]) if fields else None


def descriptors(pid: int) -> set[int]:
    with contextlib.suppress(OSError):
        return {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    return set()


def limit(pid: int, most: int) -> None:
    """Set the soft limit of a process's descriptors, if it lives."""
    if found := limits_of(pid):
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, found[1]))


def limits_of(pid: int) -> tuple[int, int] | None:
    """Soft and hard limit of a process's descriptors; None if it has ended."""
    try:
        return resource.prlimit(pid, resource.RLIMIT_NOFILE)
    except ProcessLookupError:
        return None


def cpu_clock(pid: int) -> int:
    """What clock_getcpuclockid(3) gives, which Python lacks."""
    return ~pid << 3 | 2


def call_of(pid: int, tid: int) -> str:
    """What a thread does now."""
    fields = stat(tid)
    try:
        sleep = sleeping(tid, pid)
    except NotTold:
        return "running" if fields[:1] == ["R"] else "asleep"
    return f"asleep in {sleep.call}" if sleep else "running"
