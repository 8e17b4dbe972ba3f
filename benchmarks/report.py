"""Say and draw what benchmarks/results.json holds: the table in README.md, and picture.svg.

Usage: python -m benchmarks.report

Nothing is measured here, so the words can be mended without a quiet machine.
"""

import html
import json
import re
import statistics
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.servers import BASES, C_EPOLL, HERE, SHORTEST, STREAMS, UVLOOP
from echo.lab.display import light
from echo.lab.show import curves
from tools.markdown import between, table

README, PICTURE = HERE / "README.md", HERE / "picture.svg"
BEGIN, END = "<!-- results: make bench writes this -->", "<!-- end of the results -->"
FIRST = "50 x 64 B"  # the scenario whose processor time and system calls stand in the table
CONTROL = "50 x 64 B, redis-benchmark"
QUIET = 0.5  # a load average below that: nothing else was at work
NOTHING = "-"

Results = dict[str, Any]


class Asked(NamedTuple):
    """What a server is meant to reach: so many times the rate of another."""

    server: str
    scenario: str
    other: str
    least: float


ASKED = [
    Asked("epoll", FIRST, SHORTEST, 0.94),
    Asked("epoll", "50 x 16 KiB", SHORTEST, 0.94),
    Asked("epoll", "50 beside 900 idle", SHORTEST, 0.94),
    Asked("epoll", FIRST, UVLOOP, 0.97),
    Asked("epoll", "bulk", UVLOOP, 1.0),
    Asked("poll", FIRST, SHORTEST, 0.9),
    Asked("coroutine", FIRST, SHORTEST, 0.8),
]


def in_question(scenario: str) -> set[str]:
    """Those of whom something is asked in this scenario, and whom they are measured by."""
    return {name for one in ASKED if one.scenario == scenario for name in (one.server, one.other)}


class Ratio(NamedTuple):
    """Good round against good round, between the least and the greatest ratio of one round."""

    good: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.good:.2f} ({self.low:.2f}-{self.high:.2f})"


def ratio(results: Results, scenario: str, server: str, other: str) -> Ratio | None:
    """How the rates compare; None where one of them was not measured.

    The good round of each need not be the same one, and yet their ratio always lies between the
    others: what is printed as spread holds what is printed before it.  Where one has had more
    rounds, only those count that both have had, or it would have had more chances.
    """
    runs = results["runs"].get(scenario, {})
    if not runs.get(server) or not runs.get(other):
        return None
    rates = [(a["rate"], b["rate"]) for a, b in zip(runs[server], runs[other], strict=False)]
    ours, theirs = zip(*rates, strict=True)
    each = [a / b for a, b in rates]
    return Ratio(good(ours) / good(theirs), min(each), max(each))


def good(rates: Sequence[float]) -> float:
    """What one round in six reaches: the best of six, the third of eighteen.

    What disturbs a server makes it slower.  But of many rounds the best is sometimes 6% above the
    next ones, with any server, where the host is not quiet; that is luck and does not come again.
    """
    return sorted(rates)[len(rates) * 5 // 6]


def cpu(results: Results, scenario: str, server: str, key: str = "cpu") -> float | None:
    """Seconds of processor time for 100 000 echoes, the least of all rounds.

    What disturbs a server makes it need more, never less.
    """
    runs = results["runs"].get(scenario, {}).get(server)
    return min(run[key] for run in runs) if runs else None


def base_of(results: Results) -> str:
    """With whom all others are compared."""
    return next(name for name in BASES if name in results["servers"])


def ordered(results: Results) -> list[str]:
    """The servers, the fastest first."""
    base, scenario = base_of(results), next(iter(results["scenarios"]))
    found = {name: ratio(results, scenario, name, base) for name in results["servers"]}
    return sorted(found, key=lambda name: -(found[name].good if found[name] else 0))


# -- words ------------------------------------------------------------------------------


def rates(results: Results) -> str:
    """One row a server: rates in each scenario, processor time, system calls of an echo."""
    base = base_of(results)
    head = [
        "server",
        *results["scenarios"],
        "CPU s per 100 000",
        "in the kernel",
        "system calls per echo",
    ]
    rows = []
    for name in ordered(results):
        cells = [str(ratio(results, one, name, base) or NOTHING) for one in results["scenarios"]]
        seconds = cpu(results, FIRST, name)
        calls = sum(results["calls"].get(name, {}).values())
        cells += [f"{seconds:.2f}" if seconds else NOTHING, share(results, FIRST, name, "kernel")]
        cells.append(f"{calls:.2f}" if calls else NOTHING)
        rows.append([label(results, name), *cells])
    return table(head, rows, range(1, len(head)))


def share(results: Results, scenario: str, name: str, key: str) -> str:
    """The median of the rounds, in percent."""
    runs = results["runs"].get(scenario, {}).get(name)
    return f"{median(results, scenario, name, key):.0%}" if runs else NOTHING


def median(results: Results, scenario: str, name: str, key: str) -> float:
    """Of what was measured, the middle of all rounds."""
    return statistics.median(run[key] for run in results["runs"][scenario][name])


def label(results: Results, name: str) -> str:
    """Ours are bold."""
    return f"**{name}**" if results["servers"][name]["ours"] else name


def asked_table(results: Results) -> str:
    """What the servers are meant to reach, and whether they do."""
    rows = []
    for server, scenario, other, least in ASKED:
        found = ratio(results, scenario, server, other)
        verdict = "not measured"
        if found:
            verdict = "yes" if round(found.good, 2) >= least else "no"
        spent = [cpu(results, scenario, name) for name in (other, server)]
        by_cpu = f"{spent[0] / spent[1]:.2f}" if all(spent) else NOTHING
        cells = [scenario, f"{least:.2f}", str(found or NOTHING), by_cpu, verdict]
        rows.append([f"{server} / {other}", *cells])
    head = ["compared", "scenario", "at least", "rate", "by CPU", "reached"]
    return table(head, rows, range(1, len(head)))


def left_by_python(results: Results) -> str:
    """How near our epoll server comes to the shortest loop, and where the time of each goes."""
    pairs = [(SHORTEST, C_EPOLL), ("epoll", C_EPOLL), ("epoll", SHORTEST)]
    rows = []
    for scenario in results["scenarios"]:
        found = [ratio(results, scenario, *pair) for pair in pairs]
        if all(found):
            rows.append([scenario, *map(str, found)])
    if not rows:
        return ""
    head = ["", *(" / ".join(pair) for pair in pairs)]
    spent = []
    for name in (C_EPOLL, SHORTEST, "epoll"):
        if seconds := cpu(results, FIRST, name):
            kernel = seconds * median(results, FIRST, name, "kernel")
            spent.append(f"{name} {kernel:.2f} and {seconds - kernel:.2f}")
    said = f"Seconds of processor time for 100 000 echoes, {FIRST}, in the kernel and outside:"
    return "\n\n".join(
        [
            "What Python leaves to any server, and what ours makes of it:",
            table(head, rows, range(1, len(head))),
            paragraph(said, f"{', '.join(spent)}."),
        ]
    )


def conditions(results: Results) -> str:
    """When and where it was measured, and what was not as it should be."""
    before, stolen = results["load average before"], results["stolen"]
    said = [
        f"Measured on {results['date']} on {results['machine']},",
        f"in {results['minutes']:g} minutes: {results['rounds']} rounds of",
        f"{results['seconds']:g} seconds each, {results['rounds in question']} where a goal is in",
        f"question. {results['versions']}.",
    ]
    if before > QUIET:
        said.append(f"**The machine was not quiet**: its load average was {before:g} before.")
    if stolen >= 0.005:
        said.append(f"Of the processors' time {stolen:.1%} was taken by the host.")
    return paragraph(*said, *results["missing"])


def legend(results: Results) -> str:
    """How to read the table."""
    return paragraph(
        f"Rates, with {base_of(results)} as 1.00: what one round in six reaches, against the",
        "same of the other, and in brackets the least and the greatest ratio of a single round.",
        f"Ours are bold. Processor time and system calls are those of {FIRST}.",
    )


def bottleneck(results: Results) -> str:
    """Who waited for whom: how busy the server's core was, and what the loads cost theirs."""
    base = C_EPOLL if C_EPOLL in results["servers"] else base_of(results)  # whom a load delays most
    head = ["how busy the server kept its core", base, "epoll", STREAMS]
    rows = []
    for scenario in results["runs"]:
        rows.append([scenario, *(share(results, scenario, name, "busy") for name in head[1:])])
    costs = {
        results["scenarios"][name]["load"]: cpu(results, name, base, "load_cpu")
        for name in (FIRST, CONTROL)
        if results["runs"].get(name, {}).get(base)
    }
    own = cpu(results, FIRST, base)
    said = []
    if costs:
        spent = [f"`{name}` {seconds:.2f}" for name, seconds in costs.items()]
        said.append(f"Seconds of processor time for 100 000 echoes: {', '.join(spent)},")
        said.append(f"{base} under `{results['scenarios'][FIRST]['load']}` {own:.2f}.")
    after, before = (results[key].get("epoll") for key in ("calls", "calls when fresh"))
    if after and before:
        said.append(f"The system calls of an echo of our epoll server: {in_words(after)};")
        said.append(f"until its first client has left: {in_words(before)}.")
    return "\n\n".join([table(head, rows, range(1, len(head))), paragraph(*said)])


def in_words(counts: dict[str, float]) -> str:
    return ", ".join(f"{name} {count:.2f}" for name, count in counts.items())


def paragraph(*sentences: str) -> str:
    return textwrap.fill(" ".join(sentences), 100, break_long_words=False, break_on_hyphens=False)


def block(results: Results) -> str:
    """What stands between the marks in README.md."""
    parts = [
        conditions(results),
        legend(results),
        rates(results),
        f"![{alt(results)}]({PICTURE.name})",
        "What our servers are meant to reach:",
        asked_table(results),
        left_by_python(results),
        bottleneck(results),
    ]
    return "\n\n".join(filter(None, parts))


def fill(text: str, results: Results) -> str:
    """README.md with these results in it."""
    return between(text, BEGIN, END, block(results))


def agreement(old: Results, new: Results) -> str:
    """Whether two runs say the same: the ratio of one lies within the spread of the other."""
    if old["machine"] != new["machine"]:
        return "What was stored before comes from another machine."
    apart, both = [], 0
    for scenario in new["runs"]:
        for name in new["servers"]:
            then = ratio(old, scenario, name, base_of(old))
            now = ratio(new, scenario, name, base_of(old))
            if not then or not now or name == base_of(old):
                continue
            both += 1
            if not (then.low <= now.good <= then.high or now.low <= then.good <= now.high):
                apart.append(f"{name}, {scenario}: {then} before, {now} now")
    said = f"Of {both} ratios {both - len(apart)} agree with those stored before, within the spread"
    return "\n".join([f"{said}{':' if apart else '.'}", *apart])


# -- the picture ------------------------------------------------------------------------

HEIGHT, WIDTH, NAMES = 0.3, 9.6, 0.15  # inches a server; inches; the share that names take
OURS, THEIRS = {"color": "#b35806", "marker": "o"}, {"color": "#2166ac", "marker": "s"}


def alt(results: Results) -> str:
    """What the picture shows, in words; all its numbers are those of the table."""
    base, told = base_of(results), []
    for scenario in results["scenarios"]:
        found = {name: ratio(results, scenario, name, base) for name in results["servers"]}
        best = sorted((one.good, name) for name, one in found.items() if one)
        shown = [best[-1], *((one.good, "epoll") for one in [found.get("epoll")] if one), best[0]]
        names = ", ".join(f"{name} {value:.2f}" for value, name in dict.fromkeys(shown))
        told.append(f"{scenario}: {names}")
    return (
        f"Rates of echo servers with {base} as 1.00, one panel a scenario, a mark for the "
        "ratio and a line for the spread. The fastest, our epoll server and the slowest: "
        f"{'; '.join(told)}."
    )


def drawn(results: Results) -> str:
    """One panel a scenario, one row a server: a mark for the ratio, a line for the spread.

    Ours are filled circles with bold names, the others empty squares: colour only repeats it.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    base, names = base_of(results), ordered(results)[::-1]
    found = {
        (scenario, name): one
        for scenario in results["scenarios"]
        for name in names
        if (one := ratio(results, scenario, name, base))
    }
    most = 1.1 * max((one.good for one in found.values()), default=1)  # spreads may end beyond it
    with rc_context(curves.CURVE_STYLE | {"font.size": 9}):
        figure = Figure(figsize=(WIDTH, HEIGHT * len(names) + 1.1), layout="none")
        share = (0.99 - NAMES) / len(results["scenarios"])
        bottom, height = 0.42 / figure.get_figheight(), 0.62 / figure.get_figheight()
        for number, scenario in enumerate(results["scenarios"]):
            place = (NAMES + number * share, bottom, share * 0.88, 1 - bottom - height)
            axes = figure.add_axes(place)
            axes.axvline(1, color=curves.GRAY, linewidth=2, zorder=0)
            for row, name in enumerate(names):
                if one := found.get((scenario, name)):
                    ours = results["servers"][name]["ours"]
                    look = OURS if ours else {**THEIRS, "markerfacecolor": light("paper")}
                    axes.plot([one.low, one.high], [row, row], color=look["color"])
                    axes.plot([one.good], [row], markersize=5.5, **look)
            axes.set_title(scenario.replace(", ", ",\n"), size=9, color=light("ink"))
            axes.set(xlim=(0, most), ylim=(-0.6, len(names) - 0.4))
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.set_yticks(range(len(names)), names if number == 0 else [""] * len(names))
            axes.tick_params(axis="y", length=0)
            axes.grid(axis="y", color=curves.GRAY, linewidth=0.4)
            for tick, name in zip(axes.get_yticklabels(), names, strict=True):
                tick.set_fontweight("bold" if results["servers"][name]["ours"] else "normal")
        figure.text(
            0.99,
            0.01,
            f"rate / {base}; {results['date']}, {results['machine']}",
            ha="right",
            size=8,
            color=light("faint"),
        )
        label = f'<svg role="img" aria-label="{html.escape(alt(results))}"'
        markup = curves.curve_svg(figure).replace("<svg", label, 1)
        return re.sub(r"[ \t]+$", "", markup, flags=re.MULTILINE)


# -- files ------------------------------------------------------------------------------


def read(path: Path) -> Results | None:
    """What is stored, if anything is."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write(results: Results) -> None:
    """Put the results into README.md and picture.svg."""
    README.write_text(fill(README.read_text(encoding="utf-8"), results), encoding="utf-8")
    PICTURE.write_text(drawn(results), encoding="utf-8")


def main() -> int:
    """Exit code."""
    results = read(HERE / "results.json")
    if results is None:
        print("benchmarks/results.json holds no results; make bench writes it", file=sys.stderr)
        return 1
    write(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
