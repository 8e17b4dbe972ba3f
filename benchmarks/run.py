"""Measure our echo servers beside what people would use instead: make bench, or make bench QUICK=1.

Usage: python -m benchmarks.run [--quick]

Servers are interleaved: in each round every server is started, shown to be a right echo, warmed
up, measured and ended before the next one's turn comes, so that an hour in which the whole
machine is slow meets all of them.  The server has one core, the load another.  What was measured
goes to benchmarks/results.json, and from there into README.md and picture.svg; with --quick it is
only printed.
"""

import argparse
import contextlib
import csv
import json
import os
import re
import resource
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Container, Iterator
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import report, servers
from benchmarks.servers import Missing, Server
from echo.lab.kernel import processes
from echo.lab.run.clients import reset_when_closed
from echo.lab.run.faults import more_descriptors
from echo.lab.run.process import Process, Unusable
from echo.lab.run.program import leaving_nobody

PROGRAM = "make bench"
RESULTS = servers.HERE / "results.json"
ROUNDS, SECONDS, WARM_UP = 6, 0.7, 0.15
ROUNDS_IN_QUESTION = 18  # of whom something is asked: on a shared host six may all be disturbed
QUICK_ROUNDS, QUICK_SECONDS, QUICK_WARM_UP = 1, 0.15, 0.05
STRACED = 0.5  # seconds under strace
PATIENCE = 20  # seconds that a load may take
AT_ONCE = 50  # clients that any queue takes (listen(2))
OWN, REDIS = "load.c", "redis-benchmark"


class Scenario(NamedTuple):
    """What the clients do."""

    name: str
    connections: int
    depth: int  # messages under way on each; 0: one, and then the connection is closed
    size: int  # bytes of a message
    idle: int = 0  # clients beside them that say nothing
    load: str = OWN


SCENARIOS = [
    Scenario("50 x 64 B", 50, 1, 64),
    Scenario("50 x 16 KiB", 50, 1, 16 * 1024),
    Scenario("50 beside 900 idle", 50, 1, 64, idle=900),
    Scenario("bulk", 8, 4, 64 * 1024),
    Scenario("connect and close", 50, 0, 64),
    Scenario("50 x 64 B, redis-benchmark", 50, 1, 64, load=REDIS),
]


class Failed(Exception):
    """A measurement that came to nothing; the message says why."""


class Outcome(NamedTuple):
    """What a load has counted."""

    echoes: int
    rate: float  # echoes a second, when nothing disturbs


Load = Callable[[Scenario, int, float], Outcome]  # scenario, port, seconds


def main(arguments: list[str] | None = None) -> int:
    """Exit code; whatever was started has ended by then."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, nothing is stored")
    options = parser.parse_args(arguments)
    os.environ["PYTHONPATH"] = str(servers.ROOT)  # where the servers find echo
    before = report.read(RESULTS)
    try:
        with (
            leaving_nobody(),
            tempfile.TemporaryDirectory(prefix="bench-") as folder,
            more_descriptors(),
        ):
            results = bench(Path(folder), options.quick)
    except Missing as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{PROGRAM}: interrupted; nothing is stored", file=sys.stderr)
        return 130
    print("", report.rates(results), "", report.asked_table(results), "", sep="\n")
    if options.quick:
        print("One short round tells little, so nothing is stored.")
        return 0
    text = json.dumps(results, indent=1) + "\n"
    text = re.sub(r"\{[^{}]*\}", lambda found: " ".join(found[0].split()), text)  # a line each
    RESULTS.write_text(text, encoding="utf-8")
    report.write(results)
    print("Stored in benchmarks/results.json, README.md and picture.svg.")
    if before:
        print(report.agreement(before, results))
    return 0


def bench(workshop: Path, quick: bool) -> dict[str, Any]:
    """Everything that goes into results.json."""
    others, missing = servers.peers(workshop)
    found = [*servers.ours(servers.QUICK if quick else servers.OURS), *others]
    loads: dict[str, Load] = {}
    for name, make in ((OWN, own_load), (REDIS, redis_load)):
        try:
            loads[name] = make(workshop)
        except Missing as error:
            missing.append(str(error))
    if not loads:
        raise Missing("There is nothing to make load with. " + " ".join(dict.fromkeys(missing)))
    scenarios = scenarios_for(loads)
    cores, sentence = choose_cores(os.sched_getaffinity(0), siblings)
    missing += [sentence] if sentence else []
    missing = list(dict.fromkeys(missing))
    for sentence in missing:
        print(sentence, flush=True)

    rounds, most = [QUICK_ROUNDS] * 2 if quick else [ROUNDS, ROUNDS_IN_QUESTION]
    results: dict[str, Any] = {
        "date": date.today().isoformat(),
        "machine": machine(),
        "versions": servers.versions({one.name for one in found}),
        "load average before": round(os.getloadavg()[0], 2),
        "rounds": rounds,
        "rounds in question": most,
        "seconds": QUICK_SECONDS if quick else SECONDS,
        "missing": missing,
        "servers": {one.name: {"ours": one.ours} for one in found},
        "scenarios": {one.name: one._asdict() for one in scenarios},
        "runs": {one.name: {server.name: [] for server in found} for one in scenarios},
        "calls": {},
        "calls when fresh": {},
    }
    unusable: set[Server] = set()
    stolen, began = ticks(), time.monotonic()
    os.sched_setaffinity(0, {cores.load})
    for scenario in scenarios:
        asked, done = report.in_question(scenario.name), results["runs"][scenario.name]
        wanted = {name: most if name in asked else rounds for name in done}
        last = max(wanted.values())
        for number in range(last):
            seconds = time.monotonic() - began
            print(f"{seconds:4.0f} s  {scenario.name}, round {number + 1} of {last}", flush=True)
            for server in found:
                runs = done[server.name]
                if len(runs) < number or number >= wanted[server.name] or server in unusable:
                    continue
                try:
                    runs.append(measure(server, scenario, loads[scenario.load], cores, quick))
                except Unusable as error:  # what the machine does not let it do, it never will
                    unusable.add(server)
                    say(missing, f"{server.name} was not measured: {error}.")
                except Failed as error:
                    say(missing, f"{server.name} was not measured, {scenario.name}: {error}.")
        for name in [name for name, runs in done.items() if len(runs) < wanted[name]]:
            del done[name]
    if not quick:
        able = [one for one in found if one not in unusable]
        results["calls"] = count_calls(able, scenarios[0], loads, workshop, missing)
        if results["calls"]:
            first = [one for one in able if one.name == "epoll"]
            results["calls when fresh"] = count_calls(
                first, scenarios[0], loads, workshop, missing, fresh=True
            )
    results["stolen"] = stolen_share(stolen, ticks())
    results["minutes"] = round((time.monotonic() - began) / 60, 1)
    return results


def scenarios_for(loads: Container[str]) -> list[Scenario]:
    """Those that can be measured; redis-benchmark can do what load.c does, if not as cheaply."""
    if OWN in loads:
        return [one for one in SCENARIOS if one.load in loads]
    return [one._replace(load=REDIS) for one in SCENARIOS if one.load == OWN]


def say(sentences: list[str], sentence: str) -> None:
    print(sentence, flush=True)
    sentences.append(sentence)


# -- one measurement --------------------------------------------------------------------


def measure(
    server: Server, scenario: Scenario, load: Load, cores: "Cores", quick: bool
) -> dict[str, float]:
    """Start a server, measure it, end it.

    `rate` in echoes a second; `cpu` and `load_cpu`, the seconds of processor time that server
    and load have spent on 100 000 echoes; `kernel`, the share of the server's that went by in
    system calls; `busy`, the share of its core that it used.
    """
    with running(server.command, cores.server) as one:
        check(one.address, scenario.size)
        with idle_clients(one.address, scenario.idle):
            load(scenario, one.address[1], QUICK_WARM_UP if quick else WARM_UP)
            user, system = modes(one)
            spent, others, began = one.cpu(), children(), time.monotonic()
            outcome = load(scenario, one.address[1], QUICK_SECONDS if quick else SECONDS)
            spent, others = one.cpu() - spent, children() - others
            lasted = time.monotonic() - began
            user, system = (
                now - then for now, then in zip(modes(one), (user, system), strict=True)
            )
        if one.crash:
            raise Failed(one.crash)
    return {
        "rate": round(outcome.rate),
        "cpu": round(spent / outcome.echoes * 1e5, 4),
        "load_cpu": round(others / outcome.echoes * 1e5, 4),
        "kernel": round(system / max(user + system, 1), 3),
        "busy": round(spent / lasted, 3),
    }


def modes(server: Process) -> tuple[int, int]:
    """Processor time of its processes so far, in user mode and in the kernel, in clock ticks."""
    rows = [processes.stat(pid) for pid in server.members()]  # proc_pid_stat(5), from the third on
    return sum(int(row[11]) for row in rows if row), sum(int(row[12]) for row in rows if row)


@contextlib.contextmanager
def running(command: str, core: int) -> Iterator[Process]:
    """A server on a core of its own; its threads, also those to come, inherit that."""
    ours = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        server = Process(command)
    finally:
        os.sched_setaffinity(0, ours)
    try:
        yield server
    finally:
        server.end()


def check(address: tuple[str, int], size: int) -> None:
    """Three times `size` random bytes must come back; redis-benchmark would not look at them."""
    try:
        with socket.create_connection(address, timeout=PATIENCE) as client:
            for _ in range(3):
                message = os.urandom(size)
                client.sendall(message)
                answer = b""
                while len(answer) < size and (data := client.recv(size - len(answer))):
                    answer += data
                if answer != message:
                    raise Failed(f"it does not echo {size} bytes")
    except OSError as error:
        raise Failed(f"it does not echo {size} bytes: {error.strerror or error}") from None


@contextlib.contextmanager
def idle_clients(address: tuple[str, int], count: int) -> Iterator[None]:
    """Clients that say nothing any more; each batch has been accepted before the next connects."""
    clients: list[socket.socket] = []
    try:
        for number in range(1, count + 1):
            client = socket.create_connection(address, timeout=PATIENCE)
            reset_when_closed(client)
            clients.append(client)
            if number % AT_ONCE == 0:
                client.sendall(b"?")
                client.recv(1)
        yield
    except OSError as error:
        raise Failed(f"it does not hold {count} idle clients: {error.strerror or error}") from None
    finally:
        for client in clients:
            client.close()


# -- loads ------------------------------------------------------------------------------


def own_load(workshop: Path) -> Load:
    """load.c; its rate is what one of its slices in fifty reaches.

    A host that is shared slows down for some milliseconds or seconds.
    """
    binary = str(servers.compiled("load.c", workshop))

    def load(scenario: Scenario, port: int, seconds: float) -> Outcome:
        words = (port, scenario.connections, scenario.depth, scenario.size, round(seconds * 1000))
        first, slices = output(binary, *words).splitlines()
        echoes, lasted = first.split()
        rates = list(map(int, slices.split())) or [int(echoes) / float(lasted)]
        return Outcome(int(echoes), best_fiftieth(rates))

    return load


def best_fiftieth(rates: list[float]) -> float:
    """What one in fifty reaches."""
    return sorted(rates)[len(rates) * 49 // 50]


def redis_load(workshop: Path) -> Load:
    """redis-benchmark: an echo of the command ECHO is a valid reply to it, which it counts."""
    binary = servers.program(REDIS)

    def load(scenario: Scenario, port: int, seconds: float) -> Outcome:
        words = [binary, "-p", port, "-c", scenario.connections, "-P", max(scenario.depth, 1)]
        words += ["-k", int(scenario.depth > 0), "--csv", "-n"]
        echo = ["ECHO", "x" * scenario.size]
        rate = total = 0.0
        for _ in range(2):  # it wants to be told how many echoes, not how long
            echoes = max(2000, round(rate * seconds))
            *_, row = csv.reader(output(*words, echoes, *echo).splitlines())
            rate, total = float(row[1]), total + echoes
        return Outcome(round(total), rate)

    return load


def output(*command: object) -> str:
    """What a load prints; it runs on our own core."""
    words = list(map(str, command))
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise Failed(f"the load has not ended after {PATIENCE} seconds") from None
    if done.returncode:
        said = done.stderr.strip() or f"exit code {done.returncode}"
        raise Failed(f"the load says: {said[:200]}")
    return done.stdout


def children() -> float:
    """Processor time of all children that have ended: between two looks, of a load."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


# -- system calls -----------------------------------------------------------------------


def count_calls(
    found: list[Server],
    scenario: Scenario,
    loads: dict[str, Load],
    workshop: Path,
    missing: list[str],
    fresh: bool = False,
) -> dict[str, dict[str, float]]:
    """System calls per echo, of each server, by name; strace -f -c counts them.

    Before a server is measured a client has come and gone, and so it is here; with `fresh` none
    has.  That makes a difference to whoever allocates 256 KiB for each recv(): glibc's malloc()
    maps that much anew each time, until such a piece has been freed whole (mallopt(3),
    M_MMAP_THRESHOLD), which the recv() that returns b"" is the first to do.
    """
    try:
        strace = servers.program("strace")
        if OWN not in loads:
            raise Missing("Without a load of our own no system calls are counted.")
    except Missing as error:
        say(missing, str(error))
        return {}
    counted = {}
    for server in found:
        print(f"system calls: {server.name}{', fresh' * fresh}", flush=True)
        try:
            counted[server.name] = calls_of(server, scenario, loads[OWN], strace, workshop, fresh)
        except (Failed, Unusable) as error:
            say(missing, f"The system calls of {server.name} were not counted: {error}.")
    return counted


def calls_of(
    server: Server, scenario: Scenario, load: Load, strace: str, workshop: Path, fresh: bool = False
) -> dict[str, float]:
    """Two runs of different length: what a start and fifty clients cost cancels out."""
    seen: list[tuple[int, dict[str, int]]] = []
    for seconds in (0.05, STRACED):
        summary = workshop / "strace"
        one = Process(f"{shlex.join([strace, '-f', '-c', '-o', str(summary)])} {server.command}")
        try:
            if not fresh:
                check(one.address, scenario.size)
            echoes = load(scenario, one.address[1], seconds).echoes
        finally:
            one.end()
        seen.append((echoes, summary_of(summary.read_text(encoding="utf-8"))))
    (few, before), (many, after) = seen
    if many <= few:
        raise Failed("it is too slow under strace")
    counts = {name: (after[name] - before.get(name, 0)) / (many - few) for name in after}
    kept = {name: round(count, 2) for name, count in counts.items() if count >= 0.005}
    return dict(sorted(kept.items(), key=lambda item: (-round(item[1], 1), item[0])))


def summary_of(text: str) -> dict[str, int]:
    """{system call: how often} of what strace -c prints."""
    rows = re.findall(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?([a-z]\w*)$", text, re.MULTILINE)
    counts = {name: int(count) for count, name in rows if name != "total"}
    if not counts:
        raise Failed("strace has counted nothing")
    return counts


# -- the machine ------------------------------------------------------------------------


class Cores(NamedTuple):
    """By number; the same one where there is only one."""

    server: int
    load: int


def choose_cores(usable: set[int], siblings: Callable[[int], set[int]]) -> tuple[Cores, str]:
    """A core for the server and another for the load; a sentence where that cannot be had."""
    server, *others = sorted(usable)
    apart = [core for core in others if core not in siblings(server)]
    if apart:
        return Cores(server, apart[0]), ""
    if others:
        said = "Server and load run on two threads of one core: there is no second core."
        return Cores(server, others[0]), said
    return Cores(server, server), "Server and load share the only core: the rates say little."


def siblings(core: int) -> set[int]:
    """The threads of the same core (cputopology.rst in the kernel's documentation)."""
    path = Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list")
    with contextlib.suppress(OSError):
        parts = re.findall(r"(\d+)(?:-(\d+))?", path.read_text(encoding="ascii"))
        return {n for first, last in parts for n in range(int(first), int(last or first) + 1)}
    return {core}


def machine() -> str:
    """Its processor, how many cores of it we have, and its kernel."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    model = re.search(r"^model name\s*: (.*)", text, re.MULTILINE)
    virtual = re.search(r"^flags.* hypervisor", text, re.MULTILINE)
    count = len(os.sched_getaffinity(0))
    kernel = ".".join(os.uname().release.split(".")[:2])
    cores = f"{count} core{'s' * (count > 1)}{' of a virtual machine' * bool(virtual)}"
    return f"{model[1] if model else os.uname().machine}, {cores}, Linux {kernel}"


def ticks() -> list[int]:
    """What all processors have done so far (proc_stat(5))."""
    with open("/proc/stat", encoding="ascii") as file:
        return list(map(int, file.readline().split()[1:9]))


def stolen_share(before: list[int], after: list[int]) -> float:
    """The share of the time that the host took for other machines."""
    spent = [now - then for then, now in zip(before, after, strict=True)]
    return round(spent[7] / max(sum(spent), 1), 4)


if __name__ == "__main__":
    sys.exit(main())
