"""The benchmark counts rightly, does without what a machine lacks, and its page is what it stored.

Nothing here says how fast a server is: that is for make bench, on a machine that is quiet.
"""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from xml.etree import ElementTree

import pytest

from benchmarks import report, run, servers
from benchmarks.run import Cores, Failed, Outcome, Scenario
from benchmarks.servers import C_EPOLL, SHORTEST, STREAMS, UVLOOP, Missing, Server
from echo.lab.conformance import REQUIREMENTS
from echo.lab.conformance import verdict as verdict_module
from echo.lab.kernel.processes import lives, parent_of, pids
from echo.lab.run import program
from echo.lab.run.process import Process
from tests.paths import ROOT

PYTHON = sys.executable
PATIENCE = 30  # seconds
TINY = Scenario("tiny", 3, 1, 64)
needs_a_compiler = pytest.mark.skipif(
    not shutil.which("cc") and not os.environ.get("CI"), reason="there is no C compiler here"
)


def results(rates, scenario=report.FIRST, **others):
    """What a benchmark of one scenario would store: {server: its rate in each round}."""
    return {
        "date": "2026-11-24",
        "machine": "a machine",
        "versions": "Python 3.11.7",
        "load average before": 0.1,
        "stolen": 0.0,
        "minutes": 1,
        "seconds": 1,
        "rounds": 2,
        "rounds in question": 2,
        "missing": [],
        "servers": {name: {"ours": name in servers.OURS} for name in rates},
        "scenarios": {scenario: {"load": "load.c"}},
        "runs": {
            scenario: {
                name: [
                    {"rate": r, "cpu": 1e5 / r, "load_cpu": 0.5, "busy": 0.9, "kernel": 0.7}
                    for r in each
                ]
                for name, each in rates.items()
                if each
            }
        },
        "calls": {"epoll": {"recvfrom": 1.0, "sendto": 1.0, "epoll_wait": 0.02}},
        "calls when fresh": {},
        **others,
    }


# What is said of the numbers.


def test_good_round_is_set_against_good_round():
    """A disturbance makes a server slower, and the best of all rounds may be luck."""
    assert [report.good([*range(many)]) for many in (6, 18)] == [5, 15]
    both = results({"epoll": [80, 90, 99], C_EPOLL: [100, 50]})  # what one has alone is no help
    found = report.ratio(both, report.FIRST, "epoll", C_EPOLL)
    assert (found, str(found)) == ((0.9, 0.8, 1.8), "0.90 (0.80-1.80)")


def test_spread_holds_the_ratio():
    """Otherwise a second run could not be asked to lie within it."""
    numbers = random.Random(1)
    for _ in range(1000):
        rates = {name: [numbers.uniform(1, 10) for _ in range(5)] for name in ("epoll", C_EPOLL)}
        found = report.ratio(results(rates), report.FIRST, "epoll", C_EPOLL)
        assert found.low <= found.good <= found.high


def test_table_has_a_row_for_each_server():
    """The fastest first; ours are bold; what was not measured is a dash and not a nought."""
    stored = results({"epoll": [90, 90], C_EPOLL: [100, 100], STREAMS: []})
    head, line, *rows = report.rates(stored).splitlines()
    assert rows == [
        "| C epoll | 1.00 (1.00-1.00) | 1000.00 | 70% | - |",
        "| **epoll** | 0.90 (0.90-0.90) | 1111.11 | 70% | 2.02 |",
        "| asyncio streams | - | - | - | - |",
    ]
    assert head.count("|") == line.count("|") == rows[0].count("|")


@pytest.mark.parametrize(
    ("rate", "verdict"), [(94, "yes"), (93.6, "yes"), (93, "no"), (None, "not measured")]
)
def test_what_is_asked_is_answered(rate, verdict):
    """As it is printed: what reads 0.94 has reached 0.94."""
    stored = results({"epoll": [rate] if rate else [], SHORTEST: [100]})
    row = report.asked_table(stored).splitlines()[2]
    assert row.startswith("| epoll / shortest loop | 50 x 64 B | 0.94 |")
    assert row.endswith(f"| {verdict} |")


def test_what_python_leaves_is_told_where_it_was_measured():
    """How near to the shortest loop ours comes; 70% of each one's time is the kernel's."""
    rates = {"epoll": [60], SHORTEST: [80], C_EPOLL: [100]}
    said = report.left_by_python(results(rates))
    row = "| 50 x 64 B | 0.80 (0.80-0.80) | 0.60 (0.60-0.60) | 0.75 (0.75-0.75) |"
    assert row in said.splitlines()
    assert "C epoll 700.00 and 300.00" in " ".join(said.split())
    assert not report.left_by_python(results({"epoll": [60], C_EPOLL: [100]}))


def test_shortest_loop_echoes_and_outlives_its_clients():
    """What is compared with it shall not depend on how its clients leave."""
    command = servers.python(servers.HERE / "peers" / "shortest_loop.py")
    with run.running(command, CORES.server) as server:
        for size in (64, 512 * 1024):
            run.check(server.address, size)
        with run.idle_clients(server.address, 20):  # they leave by a reset
            pass
        run.check(server.address, 64)


def test_the_shortest_loop_is_the_measure_where_it_was_measured():
    """Or the first of the others that is there; asyncio always is."""
    assert report.base_of(results({"epoll": [1], C_EPOLL: [1], SHORTEST: [1]})) == SHORTEST
    assert report.base_of(results({"epoll": [1], STREAMS: [1]})) == STREAMS
    assert report.base_of(results({"epoll": [1], STREAMS: [1], UVLOOP: [1]})) == UVLOOP
    assert "with asyncio streams as 1.00" in report.block(results({"epoll": [1], STREAMS: [1]}))


def test_a_machine_that_was_not_quiet_is_told():
    """Its figures are worth less, and nobody sees that from the figures."""
    rates = {"epoll": [1], C_EPOLL: [1]}
    assert "not quiet" not in report.conditions(results(rates))
    assert "not quiet" in report.conditions(results(rates, **{"load average before": 2.0}))
    assert "4.0% was taken by the host" in report.conditions(results(rates, stolen=0.04))


def test_two_runs_that_differ_are_told_apart():
    """By the spread that they print."""
    old = results({"epoll": [80, 90], C_EPOLL: [100, 100]})
    assert report.agreement(old, old) == (
        "Of 1 ratios 1 agree with those stored before, within the spread."
    )
    new = results({"epoll": [60, 70], C_EPOLL: [100, 100]})
    assert report.agreement(old, new).splitlines() == [
        "Of 1 ratios 0 agree with those stored before, within the spread:",
        "epoll, 50 x 64 B: 0.90 (0.80-0.90) before, 0.70 (0.60-0.70) now",
    ]
    elsewhere = results({"epoll": [1]}, machine="another")
    assert "another machine" in report.agreement(elsewhere, new)


# What is stored.


@pytest.fixture(scope="module")
def stored():
    return json.loads(run.RESULTS.read_text(encoding="utf-8"))


def test_stored_results_are_of_a_whole_run(stored):
    """Five rounds at least, every scenario, all of ours, and whoever is a measure."""
    assert stored["rounds"] >= 5
    assert list(stored["scenarios"]) == [one.name for one in run.SCENARIOS]
    assert {*servers.OURS, *servers.BASES} <= set(stored["servers"])
    for scenario, runs in stored["runs"].items():
        assert {"epoll", "coroutine", *servers.BASES} <= set(runs)
        more = stored["rounds in question"] - stored["rounds"]
        for name, each in runs.items():
            assert len(each) == stored["rounds"] + more * (name in report.in_question(scenario))
    assert set(stored["calls"]) == set(stored["servers"])
    assert set(stored["calls when fresh"]) == {"epoll"}


def test_readme_says_what_is_stored(stored):
    """No figure in it was written by hand."""
    text = report.README.read_text(encoding="utf-8")
    assert report.BEGIN in text
    assert report.END in text
    assert report.fill(text, stored) == text


def test_picture_shows_what_is_stored(stored):
    """But for where its letters stand, which differs with the FreeType at hand."""
    letters = re.compile(r'(<text [^>]*?) x="[^"]*" y="[^"]*" transform="[^"]*"')
    texts = report.drawn(stored), report.PICTURE.read_text(encoding="utf-8")
    drawn, kept = (letters.sub(r"\1", text) for text in texts)
    assert drawn == kept


def test_picture_can_be_read_without_eyes_and_without_colour(stored):
    """Its words name every scenario; the others differ from ours in shape, too."""
    svg = ElementTree.fromstring(report.PICTURE.read_text(encoding="utf-8"))
    words = svg.get("aria-label")
    assert svg.get("role") == "img"
    assert words == report.alt(stored)
    for name in stored["scenarios"]:
        assert name in words
    assert report.OURS["marker"] != report.THEIRS["marker"]


# What a machine lacks.


def test_everything_missing_costs_a_sentence_each(monkeypatch, tmp_path):
    """The rest is measured; each sentence says what to install."""
    monkeypatch.setattr(servers.shutil, "which", lambda name: None)
    monkeypatch.setattr(servers, "VENV", tmp_path / "venv")
    monkeypatch.setattr(
        servers.subprocess,
        "run",
        lambda command, **_: subprocess.CompletedProcess(command, 1, "", "no route to host"),
    )
    found, missing = servers.peers(tmp_path)
    assert [one.name for one in found] == [SHORTEST, "asyncio Protocol", STREAMS]
    assert len(missing) == 3
    for sentence, word in zip(missing, ["gcc", "is there a network?", "nodejs"], strict=True):
        assert word in sentence
        assert sentence.endswith(".")
        assert "\n" not in sentence
    for make in run.own_load, run.redis_load:
        with pytest.raises(Missing, match=r"apt-get install .*\)\.$"):
            make(tmp_path)


def test_compiler_that_fails_is_told(monkeypatch, tmp_path):
    """As a missing one; with what it said last."""
    monkeypatch.setenv("CC", str(tmp_path / "cc"))
    (tmp_path / "cc").write_text("#!/bin/sh\necho 'no stdio.h' >&2\nexit 1\n")
    (tmp_path / "cc").chmod(0o755)
    with pytest.raises(Missing, match=r"cannot compile load.c: no stdio.h\.$"):
        servers.compiled("load.c", tmp_path)


def test_each_load_can_do_without_the_other():
    """redis-benchmark takes what load.c would do; load.c has nothing to witness alone."""
    names = [one.name for one in run.SCENARIOS]
    assert [one.name for one in run.scenarios_for({run.OWN, run.REDIS})] == names
    assert {one.load for one in run.scenarios_for({run.OWN})} == {run.OWN}
    assert [one.name for one in run.scenarios_for({run.OWN})] == names[:-1]
    assert {one.load for one in run.scenarios_for({run.REDIS})} == {run.REDIS}
    assert [one.name for one in run.scenarios_for({run.REDIS})] == names[:-1]


def test_without_any_load_it_says_so_and_ends(monkeypatch, capsys):
    """In one line, and stores nothing."""

    def missing(workshop):
        raise Missing("There is none.")

    monkeypatch.setattr(servers, "peers", lambda workshop: ([], []))
    monkeypatch.setattr(run, "own_load", missing)
    monkeypatch.setattr(run, "redis_load", missing)
    for name in "adopt", "end_all":  # what belongs to a process of its own
        monkeypatch.setattr(program, name, lambda: None)
    monkeypatch.setattr(program.signal, "signal", lambda *_: None)
    monkeypatch.setenv("PYTHONPATH", "")
    before = run.RESULTS.stat().st_mtime_ns
    assert run.main([]) == 1
    said = "make bench: There is nothing to make load with. There is none.\n"
    assert capsys.readouterr().err == said
    assert run.RESULTS.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("usable", "together", "cores", "says"),
    [
        ({0, 1}, {0}, Cores(0, 1), ""),
        ({0, 1, 2, 3}, {0, 1}, Cores(0, 2), ""),
        ({2, 3}, {2, 3}, Cores(2, 3), "two threads of one core"),
        ({5}, {5}, Cores(5, 5), "share the only core"),
    ],
)
def test_server_and_load_have_different_cores(usable, together, cores, says):
    """Not two threads of one, if it can be helped; and if not, it is said."""
    found, sentence = run.choose_cores(usable, lambda core: together)
    assert found == cores
    assert says in sentence
    assert bool(says) == bool(sentence)


# One measurement.

CORES = Cores(*[min(os.sched_getaffinity(0))] * 2)


def few_echoes(scenario, port, seconds):
    """A load that needs no compiler."""
    for _ in range(10):
        run.check(("127.0.0.1", port), scenario.size)
    return Outcome(30, 1000.0)


def test_a_server_is_started_measured_and_ended():
    """What it has spent is its own processor time, for 100 000 echoes."""
    (server,) = servers.ours(["epoll"])
    found = run.measure(server, TINY._replace(idle=60), few_echoes, CORES, quick=True)
    assert found["rate"] == 1000
    assert 0 < found["cpu"] < 1e5
    assert 0 < found["busy"] <= 1.5
    assert 0 <= found["kernel"] <= 1
    assert not [pid for pid in pids() if parent_of(pid) == os.getpid()]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("sock.sendall(data.upper())", "it does not echo 64 bytes"),
        ("sock.sendall(data[1:]); break", "it does not echo 64 bytes"),
    ],
)
def test_a_wrong_echo_is_not_measured(tmp_path, change, says):
    """However fast it is."""
    text = (ROOT / "docs/strangers/socketserver_threads.py").read_text(encoding="utf-8")
    path = tmp_path / "wrong.py"
    path.write_text(
        text.replace("self.request.sendall(data)", change.replace("sock", "self.request"))
    )
    with pytest.raises(Failed, match=says):
        run.measure(
            Server("wrong", f"{PYTHON} {path} {{port}}", False), TINY, few_echoes, CORES, True
        )


@pytest.mark.parametrize("slow", [0, 20, 98])
def test_slow_slices_do_not_count(slow):
    """However many they are, as long as two of a hundred are not."""
    assert run.best_fiftieth([*[45_000] * slow, *[90_000] * (100 - slow)]) == 90_000
    assert run.best_fiftieth([90_000]) == 90_000


@needs_a_compiler
@pytest.mark.parametrize("depth", [0, 1, 4])
def test_load_counts_what_comes_back(tmp_path, depth):
    """In all its forms; and its clients have gone when it has."""
    load = run.own_load(tmp_path)
    server = Process(f"{PYTHON} -m echo epoll {{port}}")
    try:
        server.settle(20)
        before = server.descriptors()
        done = load(Scenario("", 5, depth, 100_000), server.address[1], 0.1)
        assert done.echoes > 0
        assert done.rate > 0
        server.settle(20)
        assert server.descriptors() <= before + 1  # the spare that accept() keeps
    finally:
        server.end()


@needs_a_compiler
def test_load_compares_what_comes_back(tmp_path):
    """A server that mixes things up is not fast."""
    path = tmp_path / "wrong.py"
    text = (ROOT / "docs/strangers/socketserver_threads.py").read_text(encoding="utf-8")
    path.write_text(text.replace("sendall(data)", "sendall(data[::-1])"))
    load = run.own_load(tmp_path)
    server = Process(f"{PYTHON} {path} {{port}}")
    try:
        with pytest.raises(Failed, match="the load says: other bytes came back"):
            load(TINY, server.address[1], 0.1)
    finally:
        server.end()


@pytest.mark.long
@needs_a_compiler
@pytest.mark.parametrize(
    "name",
    [
        "closes_when_the_client_has_finished",
        "sends_back_a_message_longer_than_the_buffers",
        "survives_a_client_that_resets",
        "loses_nothing_when_the_client_reads_late",
        "stops_reading_from_a_client_that_does_not_read",
        "finishes_its_answer_to_a_half_closed_client",
    ],
)
def test_the_c_server_is_a_right_echo(tmp_path, name):
    """A measure that cheats is none; the suite judges it as it judges ours."""
    (requirement,) = (one for one in REQUIREMENTS if one.__name__ == name)
    command = f"{servers.compiled('peers/epoll.c', tmp_path)} {{port}}"
    verdict_module.put(requirement, Process(command, requirement.buffer))


SUMMARY = """\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 52.09    0.212345           4     50100           sendto
 47.90    0.195264           3     50200       100 recvfrom
  0.01    0.000041           2        21        18 epoll_wait
------ ----------- ----------- --------- --------- ----------------
100.00    0.407650           4    100321       118 total
"""


def test_summary_of_strace_is_read():
    """With errors and without."""
    assert run.summary_of(SUMMARY) == {"sendto": 50100, "recvfrom": 50200, "epoll_wait": 21}
    with pytest.raises(Failed):
        run.summary_of("")


def test_system_calls_are_counted_per_echo(monkeypatch, tmp_path):
    """What a start and the connections cost is in both runs, and so in neither."""
    summaries = iter([SUMMARY, SUMMARY.replace(" 50100 ", "150100 ").replace(" 50200 ", "150200 ")])

    class Straced:
        address = ("127.0.0.1", 1)

        def __init__(self, command):
            assert command == f"strace -f -c -o {tmp_path}/strace serve {{port}}"

        def end(self):
            (tmp_path / "strace").write_text(next(summaries))

    came = []
    monkeypatch.setattr(run, "Process", Straced)
    monkeypatch.setattr(run, "check", lambda address, size: came.append(size))
    echoes = iter([Outcome(50_000, 1), Outcome(150_000, 1)])
    server = Server("one", "serve {port}", False)
    found = run.calls_of(server, TINY, lambda *_: next(echoes), "strace", tmp_path)
    assert found == {"sendto": 1.0, "recvfrom": 1.0}
    assert came == [64, 64], "as before a measurement"


# The whole.


def test_what_cannot_be_measured_costs_a_sentence(monkeypatch, tmp_path):
    """A server that the machine does not let run, one; one that fails, one a scenario."""
    wrong = ROOT / "docs" / "strangers" / "asyncio_protocol.py"
    path = tmp_path / "wrong.py"
    path.write_text(wrong.read_text(encoding="utf-8").replace("write(data)", "write(data[1:])"))
    cases = {"epoll": f"{PYTHON} -m echo epoll {{port}}", "wrong": f"{PYTHON} {path} {{port}}"}
    cases["forbidden"] = "sh -c 'echo Not permitted; exit 1' {port}"
    found = [Server(name, command, False) for name, command in cases.items()]
    scenarios = [Scenario(name, 3, 1, 64) for name in ("one", "two")]
    monkeypatch.setattr(servers, "peers", lambda workshop: (found, []))
    monkeypatch.setattr(servers, "ours", lambda names: [])
    monkeypatch.setattr(run, "SCENARIOS", scenarios)
    monkeypatch.setattr(run, "own_load", lambda workshop: few_echoes)
    monkeypatch.setattr(run, "PATIENCE", 0.2)  # for a byte that never comes back
    before = os.sched_getaffinity(0)
    try:
        results = run.bench(tmp_path, quick=True)
    finally:
        os.sched_setaffinity(0, before)
    for runs in results["runs"].values():
        assert list(runs) == ["epoll"]
    told = [one for one in results["missing"] if "not measured" in one]
    assert len(told) == 3
    assert re.match(r"forbidden was not measured: .* Not permitted\.$", told[1])
    assert [one for one in told if one.startswith("wrong was not measured, two: it does not echo")]


ALONE = """
from benchmarks import run, servers
servers.peers = lambda workshop: ([], [])
run.own_load = run.redis_load = lambda workshop: lambda *_: __import__("time").sleep(100)
raise SystemExit(run.main(["--quick"]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_leaves_no_process(number):
    """Whoever thinks better of it gets a quiet machine back."""
    with subprocess.Popen(
        [PYTHON, "-c", ALONE], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as bench:
        deadline = time.monotonic() + PATIENCE
        while not (servers_of := children(bench.pid)) and time.monotonic() < deadline:
            time.sleep(0.01)
        bench.send_signal(number)
        _, said = bench.communicate(timeout=PATIENCE)
    assert servers_of
    assert said == "make bench: interrupted; nothing is stored\n"
    assert bench.returncode == 130
    assert not [pid for pid in servers_of if lives(pid)]


def children(pid):
    return [one for one in pids() if parent_of(one) == pid]


@pytest.mark.parametrize(("words", "last"), [([], "benchmarks.run"), (["QUICK=1"], "--quick")])
def test_make_bench(words, last):
    """QUICK=1 reaches it."""
    command = ["make", "--no-print-directory", "-n", "bench", *words]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.split()[-1] == last
