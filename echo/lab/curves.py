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
import html
import io
import itertools
import json
import math
import os
import re
import resource
import select
import shlex
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from echo.lab.background import more_descriptors
from echo.lab.process import Process

ROOT = Path(__file__).parents[2]  # where `import echo` finds it
CALLS = ("select", "poll", "epoll")
FD_SETSIZE = 1024  # select takes no descriptor from this number on, select(2)
SPARE = 64  # descriptors for everything else
BATCH = 300_000  # nanoseconds that a batch takes, roughly; a turn of the scheduler is ten times it
ROUNDS = 40
SECONDS = 0.8  # no new round begins after that
GROWS, FLAT = 0.5, 0.2  # slopes above and below
PR_SET_THP_DISABLE = 41  # include/uapi/linux/prctl.h

Points = dict[int, float]  # number of descriptors or clients -> what was measured

WAIT = "What one wait costs beside descriptors {}, in microseconds; both axes are logarithmic."

# What this module has measured on one machine: of each number the smallest of two dozen runs, of
# memory of three.  The machine was at work beside it; with 10 000 descriptors that takes the
# caches away from poll, which on a machine at rest may cost a third less there.
MACHINE = "an Intel Xeon at 2.8 GHz, Linux 6.18, Python 3.11, 2026-11-23"
RECORDED: dict[str, dict[str, Points]] = {
    "idle": {
        "select": {10: 0.815, 30: 1.47, 100: 3.81, 300: 11.2, 1000: 36.1},
        "poll": {10: 0.47, 30: 0.93, 100: 2.65, 300: 8.05, 1000: 25.8, 3000: 79.3, 10000: 465},
        "epoll": {
            10: 0.249, 30: 0.25, 100: 0.249, 300: 0.249, 1000: 0.249, 3000: 0.249, 10000: 0.251
        },
    },
    "ready": {
        "select": {10: 0.862, 30: 1.56, 100: 4.15, 300: 12, 1000: 38.7},
        "poll": {10: 0.768, 30: 1.73, 100: 5.32, 300: 16, 1000: 55.4},
        "epoll": {10: 1.26, 30: 3.09, 100: 9.88, 300: 29.4, 1000: 101},
    },
    "memory": {
        "threaded": {
            0: 14299136, 200: 18444288, 400: 22659072, 600: 26787840, 800: 30937088, 1000: 35086336
        },
        "epoll": {
            0: 14090240, 200: 14135296, 400: 14176256, 600: 14217216, 800: 14270464, 1000: 14315520
        },
    },
}  # fmt: skip


@dataclass(frozen=True)
class Curve:
    """What was measured: {name: {number: cost}}.  A notebook displays the picture.

    `kind` is "idle" or "ready" (microseconds against descriptors) or "memory" (bytes of a server
    against its clients).
    """

    kind: str
    costs: dict[str, Points]

    def __str__(self) -> str:
        return alt(self)

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": picture(self), "text/plain": alt(self)}


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
        raise ValueError(f"no wait of ours: {sorted(unknown)}; there are {', '.join(CALLS)}")
    up_to = up_to or (1000 if ready else 10_000)
    if up_to < 100:
        raise ValueError("fewer than 100 descriptors have no shape")
    order = {"calls": calls or CALLS, "ready": ready, "sizes": sizes_up_to(up_to)}
    code = f"from echo.lab.curves import gauge; gauge({json.dumps(order)!r})"
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

    Raises echo.lab.process.Unusable for a name that there is not, RuntimeError for a server that
    holds one client at a time, ValueError for fewer than 100 clients.
    """
    if clients < 100:
        raise ValueError("fewer than 100 clients are lost in what a process needs anyway")
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


def slope(shown: Curve, name: str) -> float:
    """How steep a line of the picture is, from its first point to its last.

    Of costs, where both axes are logarithmic: 1 says that twice the descriptors cost twice as
    much, 0 that they cost the same.  Of memory: bytes a client.
    """
    points = shown.costs[name]
    first, last = min(points), max(points)
    if shown.kind == "memory":
        return (points[last] - points[first]) / (last - first)
    return math.log(points[last] / points[first]) / math.log(last / first)


def ratio(shown: Curve, name: str, other: str | None = None) -> float:
    """How many times as much `name` costs as `other`, at the largest number that both have.

    Without `other`: with the largest number, as with the smallest.  Of memory, what the clients
    have added is compared.  A lesson says less than it could: poll costs 400 times what epoll
    does and more beside 10 000 idle descriptors, and 100 times beside 1000, all that some machines
    allow.
    """
    points = shown.costs[name]
    if other is None:
        return points[max(points)] / points[min(points)]
    if shown.kind == "memory":
        return slope(shown, name) / slope(shown, other)
    number = max(points.keys() & shown.costs[other].keys())
    return points[number] / shown.costs[other][number]


def verdict(shown: Curve) -> str:
    """The shape in words, the same on every run: "select grows, poll grows, epoll is flat".

    A wait grows where its slope is above 0.5, and is flat below 0.2.  Memory is told by its
    class: "threaded: kilobytes a client".
    """
    say = size_class if shown.kind == "memory" else shape
    return ", ".join(say(name, slope(shown, name)) for name in shown.costs)


def shape(name: str, steep: float) -> str:
    if steep > GROWS:
        return f"{name} grows"
    return f"{name} is flat" if steep < FLAT else f"{name} grows a little"


def size_class(name: str, size: float) -> str:
    words = {1e3: "less than a kilobyte", 1e6: "kilobytes"}
    return f"{name}: {next((words[most] for most in words if size < most), 'megabytes')} a client"


# -- what is shown ----------------------------------------------------------------------

TITLES = {  # of both axes, and what the picture is about
    "idle": ("idle descriptors", "one wait (microseconds)", WAIT.format("that are all idle")),
    "ready": ("ready descriptors", "one wait (microseconds)", WAIT.format("that are all ready")),
    "memory": (
        "idle clients",
        "memory for them (MB)",
        "Memory that a server needs for its idle clients, in megabytes.",
    ),
}
PAPER, INK, FAINT, GREY = "#fbfbf8", "#1f2328", "#5d636b", "#c9ccd0"
LOOKS = [("#b35806", "o"), ("#2166ac", "s"), ("#1b7837", "^"), ("#762a83", "D")]
STYLE = {  # letters stay letters and ids stay the same, see svg()
    "svg.hashsalt": "echo",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), PAPER),
    **dict.fromkeys(("axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
}
LINE_HEIGHT = 13  # points between two labels
NUMBER = re.compile(r"\d+\.\d+")  # tenths of a pixel differ between versions of FreeType


def in_units(kind: str, points: Points) -> Points:
    """The points of a line as they are drawn."""
    if kind != "memory":
        return points
    return {number: (size - points[min(points)]) / 1e6 for number, size in points.items()}


def lines(shown: Curve) -> tuple[dict[str, Points], dict[str, Points]]:
    """Our lines and the recorded ones of the same calls, no further than ours, as they are drawn.

    Only of the same calls: what epoll costs is the surprise of a later lesson.
    """
    most = max(max(points) for points in shown.costs.values())
    recorded = {
        name: {number: cost for number, cost in points.items() if number <= most}
        for name, points in RECORDED.get(shown.kind, {}).items()
        if name in shown.costs
    }
    ours, theirs = (
        {name: in_units(shown.kind, points) for name, points in costs.items()}
        for costs in (shown.costs, recorded)
    )
    return ours, theirs


def alt(shown: Curve) -> str:
    """What the picture shows, in words."""
    ours, theirs = lines(shown)
    text = f"{TITLES[shown.kind][2]} {verdict(shown)}. Here: {in_words(ours)}."
    return f"{text} In grey, recorded on {MACHINE}: {in_words(theirs)}." if theirs else text


def in_words(costs: dict[str, Points]) -> str:
    """Of each line the two ends; of one that begins at 0 the other."""
    return "; ".join(
        f"{name} "
        + ", ".join(
            f"{float(f'{points[number]:.2g}'):g} with {number}"
            for number in (min(points), max(points))
            if number
        )
        for name, points in costs.items()
    )


def picture(shown: Curve) -> str:
    """The picture as SVG on opaque paper, so that it can be read in a dark theme too."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    ours, theirs = lines(shown)
    names = list(dict.fromkeys([*RECORDED.get(shown.kind, {}), *ours]))  # each keeps its colour
    with rc_context(STYLE):
        figure = Figure(figsize=(7, 3.7), layout="none")
        axes = figure.add_axes((0.1, 0.21, 0.76, 0.74))
        if shown.kind != "memory":
            axes.set(xscale="log", yscale="log")
            axes.minorticks_off()
        for points in theirs.values():
            axes.plot([*points], [*points.values()], color=GREY, linewidth=5)
        for name, points in ours.items():
            colour, marker = LOOKS[names.index(name) % len(LOOKS)]
            axes.plot([*points], [*points.values()], color=colour, marker=marker, markersize=5)
        if shown.kind != "memory":  # room below a flat line
            least = min(min(points.values()) for points in [*theirs.values(), *ours.values()])
            axes.set_ylim(bottom=10 ** math.floor(math.log10(least)))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}".replace(",", " "))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_xlabel(TITLES[shown.kind][0])
        axes.set_ylabel(TITLES[shown.kind][1])
        label(axes, theirs | ours, {n: LOOKS[names.index(n) % len(LOOKS)][0] for n in ours})
        if theirs:
            figure.text(
                0.985, 0.02, f"grey: recorded on {MACHINE}", ha="right", size=8, color=FAINT
            )
        return svg(figure, alt(shown))


def label(axes: Any, costs: dict[str, Points], colours: dict[str, str]) -> None:
    """Write its name at the end of each line; names that would meet stand one above the other."""
    axes.autoscale_view()  # until then the scales are not those of the picture
    most = max(max(points) for points in costs.values())
    height = -math.inf
    for name, points in sorted(costs.items(), key=lambda line: line[1][max(line[1])]):
        last = max(points)
        if last == most:  # right of it, where there is nothing else
            own = axes.transData.transform((last, points[last]))[1] * 72 / axes.figure.dpi
            height = max(own, height + LINE_HEIGHT)
            place = {"xytext": (9, height - own), "ha": "left", "va": "center"}
        elif points[last] < max(other.get(last, 0) for other in costs.values()):
            place = {"xytext": (6, -6), "ha": "left", "va": "top"}
        else:
            place = {"xytext": (-6, 6), "ha": "right", "va": "bottom"}
        colour = colours.get(name, FAINT)
        axes.annotate(name, (last, points[last]), textcoords="offset points", color=colour, **place)


def svg(figure: Any, words: str) -> str:
    """A figure as SVG: the same bytes for the same numbers, with `words` as alternative text."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    text = re.sub(r'font: (\S+px) ([^;"]+)', r"font-size: \1; font-family: \2", text)
    text = re.sub(  # in tags, not in what is to be read
        r"<[^>]*>",
        lambda tag: NUMBER.sub(lambda number: f"{float(number[0]):.1f}", tag[0]),
        text[text.index("<svg") :],
    )
    return text.replace("<svg ", f'<svg role="img" aria-label="{html.escape(words)}" ', 1)


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
        waits: dict[tuple[str, int], Callable] = {}
        for size, epoll in zip(sizes, epolls, strict=True):
            for call in calls if size <= len(fds) else ():
                if call != "select" or fds[size - 1] < FD_SETSIZE:
                    waits[call, size] = wait(call, fds[:size], epoll, ready)
        costs: dict[str, Points] = {call: {} for call in calls}
        for (call, size), best in smallest(waits).items():
            costs[call][size] = best / 1000
        return costs


def wait(call: str, fds: list[int], epoll: select.epoll, ready: bool) -> Callable:
    """One wait with timeout 0 for any of `fds` to be readable, as a function without arguments."""
    if call == "select":
        return partial(select.select, fds, (), (), 0)
    poller = epoll if call == "epoll" else select.poll()
    for fd in fds:
        poller.register(fd, select.POLLIN)  # on Linux EPOLLIN is the same number
    if call == "epoll" and ready:
        return partial(epoll.poll, 0, len(fds))  # all of them; without, it tells at most 1023
    return partial(poller.poll, 0)


def smallest(waits: dict[Any, Callable]) -> dict[Any, float]:
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


def batch(call: Callable, count: int) -> float:
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
                points[number] = at_rest(server.pid)
        finally:
            server.end()  # before its clients: their going would keep it busy
    return points


def holds(server: Process, descriptors: int) -> bool:
    """Whether it has so many descriptors, at last: it gets one a moment after a queue is empty."""
    deadline = time.monotonic() + 1
    while (short := server.descriptors() < descriptors) and time.monotonic() < deadline:
        time.sleep(0.005)
    return not short


def at_rest(pid: int) -> int:
    """Bytes of a process that are in memory, once they do not change any more."""
    deadline = time.monotonic() + 1
    size, before = resident(pid), 0
    while size != before and time.monotonic() < deadline:
        time.sleep(0.01)
        size, before = resident(pid), size
    return size


def client(address: tuple[str, int]) -> socket.socket:
    """A client that leaves no connection in TIME_WAIT: it will reset (socket(7), SO_LINGER)."""
    sock = socket.create_connection(address, timeout=5)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return sock


def resident(pid: int) -> int:
    """Bytes of a process that are in memory.  Where the kernel does not add up, its estimate."""
    for file, row in (("smaps_rollup", "Rss"), ("status", "VmRSS")):
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{pid}/{file}").read_text(encoding="ascii", errors="replace")
            if found := re.search(rf"(?m)^{row}:\s*(\d+) kB", text):
                return 1024 * int(found[1])
    raise RuntimeError("the kernel does not tell how much memory a process has")
