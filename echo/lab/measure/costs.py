"""Cost curves: what a wait costs beside many descriptors, and what a client costs in memory.

    cost = curve()      # select, poll and epoll beside 10 to 10 000 idle descriptors
    cost                # the picture: times of this machine, in grey those of another
    verdict(cost)       # 'select grows, poll grows, epoll is flat'

The picture is made of times and differs from run to run.  Its shape does not: slope(), ratio()
and verdict() read it off the same numbers.

What makes the numbers steady beside other work (cost_of() does it):

- A wait with timeout 0 never sleeps, and what disturbs makes it slower, never faster: so the
  smallest of many batches counts, each shorter than a turn of the scheduler.  That is true of
  the clock on the wall only: the processor time of a thread is sometimes too small on a virtual
  machine, where the kernel takes off what it believes that the host has stolen.
- Every call and every number of descriptors has its batch in every round: a time at which the
  whole machine is slow meets all of them.
- It runs in a process of its own: the notebook's open files do not take numbers below 1024 away
  from select, and its threads do not fight for the interpreter's lock each time a wait gives it
  up.
"""

import contextlib
import gc
import itertools
import json
import math
import os
import re
import resource
import select
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from echo.lab.run.clients import reset_when_closed
from echo.lab.run.crowd import SPARE
from echo.lab.run.faults import more_descriptors
from echo.lab.run.process import Process
from echo.lab.run.program import ROOT
from echo.lab.show.curves import Curve, Points

CALLS = ("select", "poll", "epoll")
FD_SETSIZE = 1024  # select takes no descriptor from this number on, select(2)
BATCH = 300_000  # nanoseconds that a batch takes, roughly; a turn of the scheduler is ten times it
ROUNDS = 40
SECONDS = 0.8  # no new round begins after that
PR_SET_THP_DISABLE = 41  # include/uapi/linux/prctl.h


# -- what can be asked ------------------------------------------------------------------


def curve(*calls: str, ready: bool = False, up_to: int | None = None) -> Curve:
    """What one wait costs beside 10 to `up_to` descriptors, in microseconds.

    `calls`: some of "select", "poll", "epoll"; all three without.  select is measured as far as
    it goes: with 1000.  `ready`: every descriptor has something to read, instead of none.
    `up_to`: 10 000 of those that are idle, 1000 of those that are ready (so many at once are
    rare, and one call is not yet longer than a turn of the scheduler).

    The descriptors are eventfds (eventfd(2)): one number and one open file each, as a socket
    has, and no peer that takes a second number.  The kernel asks an eventfd in half the time
    that a TCP socket takes, so that poll and select cost more beside real clients, not less.

    Takes half a second, and 2 or 3 on a busy machine.  Prints a line that begins `reduced:`
    where no process may have so many open files.

    Raises ValueError for another call, and for fewer than 100 descriptors: they have no shape;
    RuntimeError where fewer than 30 can be had.
    """
    if unknown := set(calls) - set(CALLS):
        raise ValueError(f"no such wait: {sorted(unknown)}; there are {', '.join(CALLS)}")
    if up_to is None:
        up_to = 1000 if ready else 10_000
    if up_to < 100:
        raise ValueError("with fewer than 100 descriptors the curve has no shape")
    order = {"calls": calls or CALLS, "ready": ready, "sizes": sizes_up_to(up_to)}
    code = f"from echo.lab.measure.costs import gauge; gauge({json.dumps(order)!r})"
    done = subprocess.run(python(code), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"could not measure: {(done.stderr.splitlines() or ['?'])[-1]}")
    costs = {
        call: {int(number): cost for number, cost in points.items()}
        for call, points in json.loads(done.stdout).items()
    }
    most = max(max(points, default=0) for points in costs.values())
    if most < 30:
        raise RuntimeError("no shape to see: a process may have too few open files here")
    if most < (up_to if set(costs) != {"select"} else min(up_to, 1000)):
        print(f"reduced: to {most} descriptors; no process may have {up_to} here")
    return Curve("ready" if ready else "idle", costs)


def memory(*servers: str, clients: int = 1000) -> Curve:
    """How much memory a server holds with 0 to `clients` idle clients, in bytes.

    `servers`: names that `python -m echo` knows; "threaded" and "epoll" without.  Each runs as a
    process of its own and has real clients on loopback that say nothing.  Its memory is what
    /proc/<pid>/smaps_rollup calls Rss (proc(5)).  What the kernel keeps for a client is not in
    it: sockets, the same for every server, and for each thread a stack of 16 KiB and its tables.

    Takes a second, and 2 or 3 on a busy machine.  Prints a line that begins `reduced:` where
    limits do not let a server have so many.

    Raises Unusable for a name that there is not, RuntimeError for a server that
    holds one client at a time, ValueError for fewer than 100 clients.
    """
    if clients < 100:
        raise ValueError("what fewer than 100 clients need is lost in what a process needs anyway")
    costs = {}
    with more_descriptors(clients + 4 * SPARE):
        room = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE
        room -= len(os.listdir("/proc/self/fd"))
        numbers = [number for step in range(6) if (number := clients * step // 5) <= room]
        for name in servers or ("threaded", "epoll"):
            costs[name] = memory_of(name, numbers)
    least = min(max(points, default=0) for points in costs.values())
    if not least:
        raise RuntimeError("no shape to see: a server does not hold so many clients at once")
    if least < clients:
        print(f"reduced: to {least} clients; the limits here do not let a server have {clients}")
    return Curve("memory", costs)


# -- measuring waits, in a process of its own -------------------------------------------


def sizes_up_to(most: int) -> list[int]:
    """10, 30, 100, 300, ... and `most`."""
    steps = (step * 10**power for power in itertools.count(1) for step in (1, 3))
    return [*itertools.takewhile(lambda size: size < most, steps), most]


def python(code: str) -> list[str]:
    """A command that runs `code`, which can import echo; no setting of the user reaches it."""
    return [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"]


def gauge(order: str) -> None:
    """Measure what curve() has ordered, and print it; the last thing this process does."""
    print(json.dumps(cost_of(**json.loads(order))))


def cost_of(calls: Sequence[str], ready: bool, sizes: Sequence[int]) -> dict[str, Points]:
    """Microseconds that one wait takes beside so many descriptors."""
    gc.disable()
    with more_descriptors(sizes[-1] + SPARE), contextlib.ExitStack() as stack:
        epolls = [stack.enter_context(select.epoll()) for _ in sizes]  # first: they need room
        fds = []
        with contextlib.suppress(OSError):  # a limit: then fewer
            for _ in range(sizes[-1]):
                fds.append(os.eventfd(int(ready)))
                stack.callback(os.close, fds[-1])
        waits: dict[tuple[str, int], Callable[..., Any]] = {}
        for size, epoll in zip(sizes, epolls, strict=True):
            for call in calls if size <= len(fds) else ():
                if call != "select" or fds[size - 1] < FD_SETSIZE:
                    waits[call, size] = wait(call, fds[:size], epoll, ready)
        costs: dict[str, Points] = {call: {} for call in calls}
        for (call, size), best in smallest(waits).items():
            costs[call][size] = best / 1000
        return costs


def wait(call: str, fds: list[int], epoll: select.epoll, ready: bool) -> Callable[[], object]:
    """One wait with timeout 0 for any of `fds` to be readable, as a function without arguments."""
    if call == "select":
        return partial(select.select, fds, (), (), 0)
    poller = epoll if call == "epoll" else select.poll()
    for fd in fds:
        poller.register(fd, select.POLLIN)  # on Linux EPOLLIN is the same number
    if call == "epoll" and ready:
        return partial(epoll.poll, 0, len(fds))  # all of them; without, it tells at most 1023
    return partial(poller.poll, 0)


def smallest(waits: dict[Any, Callable[..., Any]]) -> dict[Any, float]:
    """Nanoseconds for one call of each, the least of many batches."""
    counts = {}
    for key, call in waits.items():
        batch(call, 2)
        counts[key] = max(1, min(1000, int(BATCH / batch(call, 1))))
    best = dict.fromkeys(waits, math.inf)
    deadline = time.monotonic() + SECONDS
    for _ in range(ROUNDS):
        for key, call in waits.items():
            call()  # the batch before has filled the caches with its own
            best[key] = min(best[key], batch(call, counts[key]))
        if time.monotonic() > deadline:
            break
    return best


def batch(call: Callable[..., Any], count: int) -> float:
    """Nanoseconds for one of `count` calls."""
    calls = itertools.repeat(None, count)
    start = time.perf_counter_ns()
    for _ in calls:
        call()
    return max(1, time.perf_counter_ns() - start) / count


# -- measuring memory -------------------------------------------------------------------


def memory_of(name: str, numbers: Sequence[int]) -> Points:
    """Bytes that the server `name` holds with so many idle clients; fewer points at a limit."""
    # Transparent huge pages, where a machine gives them to everybody, would give 2 MiB to each
    # thread's stack (before Linux 6.7); this setting outlives execve(2), see prctl(2).
    code = (
        f"import ctypes, runpy; ctypes.CDLL(None).prctl({PR_SET_THP_DISABLE}, 1, 0, 0, 0); "
        f"sys.argv = ['echo', {name!r}, '{{port}}']; runpy.run_module('echo', run_name='__main__')"
    )
    server = Process(shlex.join(python(code)))
    points: Points = {}
    with contextlib.ExitStack() as stack:
        try:
            alone = server.descriptors()
            clients: list[socket.socket] = []
            for number in numbers:
                while len(clients) < number:
                    clients.append(stack.enter_context(client(server.address)))
                server.catch_up()
                if not holds(server, alone + number):  # a limit: of threads, say
                    break
                points[number] = steady(server.pid)
        finally:
            server.end()  # before its clients: their going would keep it busy
    return points


def holds(server: Process, descriptors: int) -> bool:
    """Whether it has so many descriptors, at last: it gets one a moment after a queue is empty."""
    deadline = time.monotonic() + 1
    while (short := server.descriptors() < descriptors) and time.monotonic() < deadline:
        time.sleep(0.005)
    return not short


def steady(pid: int) -> int:
    """Bytes of a process that are in memory, once they do not change any more."""
    deadline = time.monotonic() + 1
    size, before = resident(pid), 0
    while size != before and time.monotonic() < deadline:
        time.sleep(0.01)
        size, before = resident(pid), size
    return size


def client(address: tuple[str, int]) -> socket.socket:
    """A client that leaves no connection in TIME_WAIT."""
    sock = socket.create_connection(address, timeout=5)
    reset_when_closed(sock)
    return sock


def resident(pid: int) -> int:
    """Bytes of a process that are in memory.  Where the kernel does not add up, its estimate."""
    for file, row in (("smaps_rollup", "Rss"), ("status", "VmRSS")):
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{pid}/{file}").read_text(encoding="ascii", errors="replace")
            if found := re.search(rf"(?m)^{row}:\s*(\d+) kB", text):
                return 1024 * int(found[1])
    raise RuntimeError("the kernel does not tell how much memory a process has")
