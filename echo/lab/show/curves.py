"""Curves of costs, drawn, and their shape in words."""

import contextlib
import io
import logging
import math
import re
import signal
import threading
from collections.abc import Iterator
from typing import Any

from echo.lab.display import Shown, image, light

GROWS, FLAT = 0.5, 0.2  # slopes above and below
Points = dict[int, float]  # number of descriptors or clients -> what was measured

WAIT = "What one wait costs, in microseconds, with descriptors {}; both axes are logarithmic."

# What this module has measured on one machine: of each number the smallest of two dozen runs, of
# memory of three.  The machine was at work beside it; with 10 000 descriptors that takes the
# caches away from poll, which on a machine at rest may cost a third less there.
MACHINE = "an Intel Xeon at 2.8 GHz, Linux 6.18, Python 3.11, 2026-11-23"
RECORDED_COSTS: dict[str, dict[str, Points]] = {
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


class Curve(Shown):
    """What was measured: {name: {number: cost}}.  A notebook displays the picture.

    `kind` is "idle" or "ready" (microseconds against descriptors) or "memory" (bytes of a server
    against its clients).
    """

    def __init__(self, kind: str, costs: dict[str, Points]):
        self.kind, self.costs = kind, costs
        super().__init__("\n".join(curve_words(self)), "")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """The picture is drawn only when it is displayed: that takes a second."""
        summary, *details = curve_words(self)
        return {"text/html": image(picture(self), summary, details), "text/plain": self.text}


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


TITLES = {  # of both axes, and what the picture is about
    "idle": ("idle descriptors", "one wait (microseconds)", WAIT.format("that are all idle")),
    "ready": ("ready descriptors", "one wait (microseconds)", WAIT.format("that are all ready")),
    "memory": (
        "idle clients",
        "memory for them (MB)",
        "Memory that a server needs for its idle clients, in megabytes.",
    ),
}
GRAY = "#c9ccd0"
CURVE_LOOKS = [
    (light("hatch"), "o"),
    (light("work"), "s"),
    (light("string"), "^"),
    (light("keyword"), "D"),
]
CURVE_STYLE: dict[Any, Any] = {  # letters stay letters and ids stay the same, see svg()
    "svg.hashsalt": "echo",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), light("paper")),
    **dict.fromkeys(
        ("axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), light("ink")
    ),
}
LINE_HEIGHT = 13  # points between two labels
DECIMAL = re.compile(r"\d+\.\d+")  # tenths of a pixel differ between versions of FreeType


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
        for name, points in RECORDED_COSTS.get(shown.kind, {}).items()
        if name in shown.costs
    }
    ours, theirs = (
        {name: in_units(shown.kind, points) for name, points in costs.items()}
        for costs in (shown.costs, recorded)
    )
    return ours, theirs


def curve_words(shown: Curve) -> list[str]:
    """What the picture shows: first what a screen reader says of it, then its numbers."""
    ours, theirs = lines(shown)
    words = [f"{TITLES[shown.kind][2]} {verdict(shown)}.", f"Here: {points_in_words(ours)}."]
    if theirs:
        words.append(f"In gray, recorded on {MACHINE}: {points_in_words(theirs)}.")
    return words


def points_in_words(costs: dict[str, Points]) -> str:
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
    with imported_in_one_piece():
        from matplotlib import rc_context
        from matplotlib.figure import Figure

    ours, theirs = lines(shown)
    recorded = RECORDED_COSTS.get(shown.kind, {})
    names = list(dict.fromkeys([*recorded, *ours]))  # a name keeps its color
    with rc_context(CURVE_STYLE):
        figure = Figure(figsize=(7, 3.7))
        axes = figure.add_axes((0.1, 0.21, 0.76, 0.74))
        if shown.kind != "memory":
            axes.set(xscale="log", yscale="log")
            axes.minorticks_off()
        for points in theirs.values():
            axes.plot([*points], [*points.values()], color=GRAY, linewidth=5)
        for name, points in ours.items():
            color, marker = CURVE_LOOKS[names.index(name) % len(CURVE_LOOKS)]
            axes.plot([*points], [*points.values()], color=color, marker=marker, markersize=5)
        if shown.kind != "memory":  # room below a flat line
            least = min(min(points.values()) for points in [*theirs.values(), *ours.values()])
            axes.set_ylim(bottom=10 ** math.floor(math.log10(least)))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}".replace(",", " "))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_xlabel(TITLES[shown.kind][0])
        axes.set_ylabel(TITLES[shown.kind][1])
        label(
            axes,
            theirs | ours,
            {n: CURVE_LOOKS[names.index(n) % len(CURVE_LOOKS)][0] for n in ours},
        )
        if theirs:
            figure.text(
                0.985,
                0.02,
                f"gray: recorded on {MACHINE}",
                ha="right",
                size=8.5,
                color=light("faint"),
            )
        return curve_svg(figure)


@contextlib.contextmanager
def imported_in_one_piece() -> Iterator[None]:
    """Import matplotlib inside the block.  It says nothing, and an interrupt waits for its end.

    Otherwise some modules of a half-imported matplotlib would stay, and the next import would
    stumble over them: nothing could be drawn until the kernel is restarted.
    """
    # The first import warns of a slow font cache, and of a HOME where it cannot keep one.
    # Both are of no use to a learner, in whose cell it would stand.
    log = logging.getLogger("matplotlib")
    level = log.level
    log.setLevel(logging.ERROR)
    before = signal.getsignal(signal.SIGINT)  # Python calls it in the main thread only
    waits = callable(before) and threading.current_thread() is threading.main_thread()
    pressed: list[int] = []
    try:
        if waits:
            signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
        yield
    finally:
        log.setLevel(level)
        if waits:
            signal.signal(signal.SIGINT, before)
        for number in pressed[:1]:
            signal.raise_signal(number)


def label(axes: Any, costs: dict[str, Points], colors: dict[str, str]) -> None:
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
        color = colors.get(name, light("faint"))
        axes.annotate(name, (last, points[last]), textcoords="offset points", color=color, **place)


def curve_svg(figure: Any) -> str:
    """A figure as SVG: the same bytes for the same numbers."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    text = re.sub(r'font: (\S+px) ([^;"]+)', r"font-size: \1; font-family: \2", text)
    return re.sub(  # in tags, not in what is to be read
        r"<[^>]*>",
        lambda tag: DECIMAL.sub(lambda number: f"{float(number[0]):.1f}", tag[0]),
        text[text.index("<svg") :],
    )
