"""What the kernel says about a thread of ours: in which call it sleeps, and for what.

A thread that sleeps has made a system call that has not returned.  Linux names the call and
its arguments in /proc/<pid>/task/<tid>/syscall (proc(5)); a thread may always read this of
the threads of its own process.  Everything here only looks: nothing is consumed or changed.
"""

import os
import platform
import re
import select
import struct
import sys
import time
from typing import NamedTuple

from echo.lab.kernel.proc import read_at_once

# System calls by number (arch/x86/entry/syscalls/syscall_64.tbl and
# include/uapi/asm-generic/unistd.h), under the name that x86-64 uses for the same wait.
CALL_NAMES = {
    "x86_64": {
        0: "read", 1: "write", 7: "poll", 23: "select", 35: "nanosleep", 42: "connect",
        43: "accept", 44: "sendto", 45: "recvfrom", 46: "sendmsg", 47: "recvmsg",
        128: "rt_sigtimedwait", 202: "futex", 230: "clock_nanosleep", 232: "epoll_wait",
        270: "pselect6", 271: "ppoll", 281: "epoll_wait", 288: "accept4",
        426: "io_uring_enter", 441: "epoll_wait",
    },
    "aarch64": {
        22: "epoll_wait", 63: "read", 64: "write", 72: "pselect6", 73: "poll", 98: "futex",
        101: "nanosleep", 115: "clock_nanosleep", 137: "rt_sigtimedwait", 202: "accept",
        203: "connect", 206: "sendto", 207: "recvfrom", 211: "sendmsg", 212: "recvmsg",
        242: "accept4", 426: "io_uring_enter", 441: "epoll_wait",
    },
}.get(platform.machine(), {})  # fmt: skip

# What makes a call return that waits for one descriptor, its first argument.
ONE = {
    "read": select.POLLIN, "recvfrom": select.POLLIN, "recvmsg": select.POLLIN,
    "accept": select.POLLIN, "accept4": select.POLLIN,
    "epoll_wait": select.POLLIN, "io_uring_enter": select.POLLIN,
    "write": select.POLLOUT, "sendto": select.POLLOUT, "sendmsg": select.POLLOUT,
}  # fmt: skip


class NotTold(Exception):
    """This kernel does not name the call in which a thread sleeps."""


class Sleep(NamedTuple):
    """A system call that has not returned yet."""

    call: str
    arguments: tuple[int, ...]
    registers: tuple[str, ...]  # where it was called from: tells two calls apart


def sleeping(tid: int, pid: int | str = "self") -> Sleep | None:
    """The call in which thread `tid` of a process, or of this one, sleeps; None while it runs.

    Raises ProcessLookupError if it has ended, NotTold where the kernel does not tell.
    """
    try:
        words = read_at_once(f"/proc/{pid}/task/{tid}/syscall").split()
    except OSError as error:
        if os.path.exists("/proc/self/syscall") and not isinstance(error, PermissionError):
            raise ProcessLookupError(f"thread {tid} has ended") from None
        words = []
    if not words:  # some sandboxes have the file and nothing in it
        raise NotTold
    if words[0] in ("running", "-1"):  # -1: stopped outside of any call, by a page fault, say
        return None
    name = CALL_NAMES.get(int(words[0]), f"system call {words[0]}")
    return Sleep(name, tuple(int(word, 16) for word in words[1:7]), tuple(words[7:]))


def has_reason_to_wake(sleep: Sleep, tid: int) -> bool:
    """Ask again, without waiting, what the sleeping call asks.

    A call that is no wait for events (a lock, a pause) ends for reasons of its own: True.

    Raises OSError if the call has returned meanwhile and taken its arguments with it.
    """
    call, arguments = sleep.call, sleep.arguments
    if call == "rt_sigtimedwait":
        return signal_pending(tid)
    poller = select.poll()
    if call in ("poll", "ppoll"):
        for fd, events, _ in struct.iter_unpack("ihh", own_memory(arguments[0], 8 * arguments[1])):
            if fd >= 0:
                poller.register(fd, events)
    elif call in ("select", "pselect6"):
        for fd, events in interest_of_select(arguments).items():
            poller.register(fd, events)
    elif call in ONE:
        poller.register(arguments[0], ONE[call])
    else:
        return True
    return bool(poller.poll(0))


def interest_of_select(arguments: tuple[int, ...]) -> dict[int, int]:
    """What a sleeping select() was asked for, in the flags of poll(): {fd: events}."""
    interest: dict[int, int] = {}
    events = (select.POLLIN, select.POLLOUT, select.POLLPRI)
    for address, event in zip(arguments[1:4], events, strict=True):
        size = (arguments[0] + 7) // 8
        bits = int.from_bytes(own_memory(address, size), "little") if address else 0
        for fd in range(arguments[0]):
            if bits >> fd & 1:
                interest[fd] = interest.get(fd, 0) | event
    return interest


def own_memory(address: int, count: int) -> bytes:
    """Bytes of our own memory; OSError instead of a crash if the page is gone."""
    fd = os.open("/proc/self/mem", os.O_RDONLY)
    try:
        return os.pread(fd, count, address)
    finally:
        os.close(fd)


def signal_pending(tid: int) -> bool:
    status = read_at_once(f"/proc/self/task/{tid}/status")
    pending = re.search(r"^SigPnd:\s*(\w+)", status, re.MULTILINE)
    return pending is not None and int(pending[1], 16) != 0


def times_slept(tid: int) -> int:
    """How often a thread has gone to sleep so far (proc(5), voluntary_ctxt_switches).

    0 where the kernel does not tell, and when the thread has ended.
    """
    try:
        status = read_at_once(f"/proc/self/task/{tid}/status")
    except OSError:
        return 0
    count = re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status, re.MULTILINE)
    return int(count[1]) if count else 0


def waits_for_signal(tid: int, number: int) -> bool:
    """Whether a thread sleeps in sigwaitinfo() until this signal comes, among others."""
    try:
        sleep = sleeping(tid)
        if sleep is None or sleep.call != "rt_sigtimedwait":
            return False
        waited = int.from_bytes(own_memory(sleep.arguments[0], 8), sys.byteorder)
    except (OSError, NotTold):
        return False
    return bool(waited >> (number - 1) & 1)


def all_asleep(tids: list[int]) -> bool:
    """Whether every thread sleeps in a wait for which nothing is ready, in two looks.

    Raises NotTold where the kernel does not tell.
    """
    looks: list[list[Sleep | None]] = []
    for pause in (0, 0.001):
        time.sleep(pause)  # lets go of the GIL: who has work to do shows it now
        try:
            sleeps = [sleeping(tid) for tid in tids]
        except ProcessLookupError:
            return False
        for sleep, tid in zip(sleeps, tids, strict=True):
            if sleep is None or stirs(sleep, tid):
                return False
        looks.append(sleeps)
    return looks[0] == looks[1]


def stirs(sleep: Sleep, tid: int) -> bool:
    try:
        return has_reason_to_wake(sleep, tid)
    except OSError:  # it has gone on while we looked
        return True


def asleep(tid: int, pid: int | str = "self") -> Sleep | None:
    """The call in which a thread sleeps; None if it keeps running.

    A thread that waits for the GIL is running as far as the reader of a lesson is concerned;
    we may hold the GIL ourselves.  So a look that finds a futex is repeated, for a tenth of a
    second at the most.  Raises as sleeping() does.
    """
    last = None
    futex = 0
    for _ in range(100):
        sleep = sleeping(tid, pid)
        if sleep is not None and sleep == last:
            if sleep.call != "futex":
                return sleep
            futex += 1  # the GIL, or a lock that nobody will ever open?
        last = sleep
        time.sleep(0.001)
    return last if futex > 90 else None


def each_asleep(tids: list[int], pid: int | str = "self") -> list[Sleep | None]:
    """asleep() of each thread.  Hundreds are looked at together, and wait together in between."""
    before = [sleeping(tid, pid) for tid in tids]
    time.sleep(0.001)
    return [
        asleep(tid, pid) if last is None or last.call == "futex" or last != now else last
        for tid, last, now in zip(tids, before, [sleeping(tid, pid) for tid in tids], strict=True)
    ]
