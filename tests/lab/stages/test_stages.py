"""The judge of stages: each broken server is found at the stage that is named for it.

And right servers meet all stages however they are written: ours, a class, closures, asyncio,
threads, and the real redis-server; as a function, as a file, as a command.
"""

import ast
import inspect
import json
import re
import shutil
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import nbformat
import pytest

from echo.lab import check_stage, start
from echo.lab.conformance import Failed
from echo.lab.run.process import NotAsked, Process
from echo.lab.stages import servers
from echo.lab.stages.beside import REDIS_SERVER, beside_redis
from echo.lab.stages.servers import BROKEN, load
from echo.lab.stages.verdict import STAGES_OF, StageVerdict, examine_stage, judge, put_stage
from tests.paths import ROOT

OTHERS = sorted((Path(__file__).parent / "servers").glob("*.py"))
PYTHON = sys.executable
ALL_BROKEN = [(series, name) for series, found in BROKEN.items() for name in found]
BY_TOOLS = {"redis cli understands", "redis benchmark is satisfied"}
NO_TOOLS = not (shutil.which("redis-cli") and shutil.which("redis-benchmark"))


def stage_of(series, name):
    return next(stage for stage in STAGES_OF[series] if stage.name == name)


def command(series, *words):
    return subprocess.run(
        [PYTHON, "-m", "echo.lab.stages", series, *words],
        cwd=ROOT, capture_output=True, encoding="utf-8", timeout=240, check=False,
    )  # fmt: skip


# The stages.


@pytest.mark.parametrize("series", STAGES_OF)
def test_a_stage_says_what_it_requires(series):
    """In a sentence: a learner reads it above the conversation."""
    for number, stage in enumerate(STAGES_OF[series], 1):
        assert stage.number == number
        assert stage.requirement.endswith(".")
    assert len(STAGES_OF[series]) == 11


@pytest.mark.parametrize("series", STAGES_OF)
def test_each_stage_has_three_broken_servers(series):
    found = Counter(one.stage for one in BROKEN[series].values())
    assert set(found) == {stage.name for stage in STAGES_OF[series]}
    assert min(found.values()) >= 3


@pytest.mark.parametrize(("series", "name"), ALL_BROKEN)
def test_broken_server_is_the_reference_with_a_change(series, name):
    """And says in a sentence what is wrong with it."""
    module, broken = load(series, name), BROKEN[series][name]
    assert broken.about.endswith(".")
    assert module.__source__ != inspect.getsource(load(series))


# The verdicts.


@pytest.mark.timing
@pytest.mark.parametrize("series", STAGES_OF)
def test_reference_meets_all_stages(series):
    serve = load(series).serve
    verdict = judge(series, lambda stage: start(serve, buffer=stage.buffer))
    assert verdict.failed is None, verdict.failure
    assert verdict.met == 11
    assert bool(verdict.not_asked) == (NO_TOOLS and series == "redis")


@pytest.mark.timing
@pytest.mark.parametrize(("series", "name"), ALL_BROKEN)
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("collected")
def test_broken_server_fails_at_its_stage(series, name):
    """The conversation, and where the server sleeps or how it crashed."""
    stage = stage_of(series, BROKEN[series][name].stage)
    if NO_TOOLS and stage.name in BY_TOOLS:
        pytest.skip("redis-tools are not installed")
    with pytest.raises(Failed) as failure:
        examine_stage(load(series, name).serve, stage)
    assert "the server" in str(failure.value) or "serve()" in str(failure.value)


@pytest.mark.soak
@pytest.mark.parametrize(("series", "name"), ALL_BROKEN)
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("collected")
def test_broken_server_meets_the_stages_before(series, name):
    """So the stage that it fails is the one that a learner is told."""
    stage = stage_of(series, BROKEN[series][name].stage)
    serve = load(series, name).serve
    before = stage.number - 1
    verdict = judge(series, lambda one: start(serve, buffer=one.buffer), until=before or None)
    assert verdict.met == before


@pytest.mark.long
@pytest.mark.timing
@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.stem)
def test_right_server_written_differently_meets_all_stages(path):
    """As a file."""
    done = command(path.stem.partition("_")[0], str(path))
    assert done.returncode == 0, done.stdout
    assert "11 of 11 stages" in done.stdout


@pytest.mark.soak
@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.stem)
def test_right_command_meets_all_stages(path):
    """As a process, whose buffers are as large as the kernel makes them."""
    done = command(path.stem.partition("_")[0], "--command", f"{PYTHON} {path} {{port}}")
    assert done.returncode == 0, done.stdout


@pytest.mark.long
@pytest.mark.timing
def test_redis_server_meets_all_stages():
    """The real one: what we ask of a tiny Redis is true of Redis."""
    if NO_TOOLS or not shutil.which("redis-server"):
        pytest.skip("redis-server is not installed")
    verdict = judge("redis", lambda stage: Process(REDIS_SERVER, stage.buffer))
    assert verdict.failed is None, verdict.failure


# The command line.


def test_command_tells_the_conversation(tmp_path):
    """And its exit code says that not all stages hold."""
    path = tmp_path / "mine.py"
    path.write_text(load("chat", "echoes").__source__)
    done = command("chat", str(path), "--until", "5")
    assert done.returncode == 1
    assert "pass   2 tells who is here" in done.stdout
    assert "FAIL  stage 3, passes on what is said" in done.stdout
    assert "bob       gets      'bob: hi ann'" not in done.stdout
    assert "ann       expects   'bob: hi ann'" in done.stdout
    assert "the server is asleep in epoll_wait" in done.stdout
    assert "2 of 11 stages" in done.stdout


def test_one_line_for_each_learner(tmp_path):
    """What a teacher collects: name, stages met, where it stopped."""
    path = tmp_path / "ann.py"
    path.write_text(load("chat", "forgets_who_speaks").__source__)
    line, *more = command("chat", str(path), "--json").stdout.splitlines()
    assert not more
    assert json.loads(line) == {
        "name": "ann",
        "series": "chat",
        "met": 2,
        "of": 11,
        "stopped_at": "passes on what is said",
        "not_asked": [],
    }


def test_what_a_server_prints_is_not_in_the_result(tmp_path):
    """A print() forgotten in what is handed in, or in a process that it starts."""
    path = tmp_path / "eve.py"
    prints = '    print("heard")\n    os.system("echo heard too")\n'
    text = inspect.getsource(load("chat")).replace("import select\n", "import os\nimport select\n")
    path.write_text(text.replace("def hear(guest, line):\n", "def hear(guest, line):\n" + prints))
    done = command("chat", str(path), "--json", "--until", "2")
    assert json.loads(done.stdout)["met"] == 2
    assert "heard\n" in done.stderr
    assert "heard too\n" in done.stderr


def test_the_loop_of_the_redis_may_be_called_as_in_the_lesson(tmp_path):
    """There it is redis(listener)."""
    path = tmp_path / "my_redis.py"
    path.write_text(inspect.getsource(load("redis")).replace("def serve(", "def redis("))
    done = command("redis", str(path), "--until", "1")
    assert done.returncode == 0, done.stderr
    done = command("chat", str(path), "--until", "1")
    assert done.stderr.strip().endswith("my_redis.py has no function serve(listener)")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["chat", "nowhere.py"], "there is no file nowhere.py"),
        (["chat"], "give it either a file or a command"),
        (["chat", "--command", "true"], "the command has no {port} in it"),
        (["chat", "x.py", "--until", "12"], "--until takes a number from 1 to 11"),
        (["poker", "x.py"], "invalid choice"),
    ],
)
def test_what_cannot_be_judged(words, said):
    done = command(*words)
    assert done.returncode == 2
    assert said in done.stderr


def test_what_cannot_be_judged_is_one_line_too(tmp_path):
    """A class is collected to its end, also if one has handed in nothing that runs."""
    path = tmp_path / "bob.py"
    path.write_text("def serve(listener)\n")
    done = command("chat", str(path), "--json", "--name", "Bob")
    assert done.returncode == 2
    assert json.loads(done.stdout)["name"] == "Bob"
    assert "SyntaxError" in json.loads(done.stdout)["error"]


# In a notebook.


def untouched(guest, text): ...


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("chat", 1, ...), "Not attempted yet: replace the ... in serve()."),
        (("chat", 1, load("chat").serve, untouched), "Not attempted yet: replace the ... in unt"),
        (("chat", 1, servers), "check_stage() takes the function serve(listener)"),
        (("chat", 2, load("chat").serve), 'Right. "tells who is here" holds.\n\nchat  ■■□□'),
        (("redis", [2, 3], load("redis").serve), '"puts pieces together" hold.\n\nredis  ■■■□'),
        (
            ("chat", 4, load("chat", "echoes").serve),
            'Stage 4 opens when stage 3 holds, "passes on what is said".\n\nchat  ■■□□',
        ),
        (
            ("redis", [2, 3], load("redis", "forgets_half_a_command").serve),
            "FAIL  stage 3, puts pieces together\n      A command may be cut anywhere",
        ),
    ],
)
def test_check_stage_says(arguments, said, capsys):
    check_stage(*arguments)
    assert said in capsys.readouterr().out


def test_a_stage_that_has_held_before_is_shown_when_it_breaks(capsys):
    check_stage("redis", 1, load("redis").serve)
    capsys.readouterr()
    check_stage("redis", 2, lambda listener: None)
    said = capsys.readouterr().out
    assert 'Stage 2 opens when stage 1 holds, "answers ping".\nIt held before.' in said
    assert "FAIL  stage 1, answers ping" in said


def test_a_crash_is_told_of_the_function_that_the_learner_wrote(capsys):
    """Each cell has a file name of its own; the place is not the loop that was given."""
    cells = inspect.getsource(load("chat")).split("\n\n\n")
    names = {"__name__": "__main__"}
    for number, cell in enumerate(cells):
        wrong = cell.replace("guest.name = line", "guest.name = lime")
        exec(compile(wrong, f"cell {number}", "exec"), names)  # as a notebook does
    check_stage("chat", 2, names["serve"])
    said = "the server crashed: NameError: name 'lime' is not defined (line 8 of hear)"
    assert said in capsys.readouterr().out


def test_before_it_is_written_the_redis_is_not_compared(capsys):
    """And the message names the function that is still to be written."""

    def redis(listener): ...

    beside_redis(redis)
    assert capsys.readouterr().out == "Not attempted yet: replace the ... in redis().\n"


def test_the_redis_is_compared_by_what_it_computes(capsys):
    """Where Redis is installed; how many times as long differs."""
    if NO_TOOLS or not shutil.which("redis-server"):
        pytest.skip("redis-server is not installed")
    beside_redis(load("redis").serve)
    said = capsys.readouterr().out
    assert re.fullmatch(r"For the same 80,000 requests, your server computes .*\n", said)


@pytest.mark.parametrize(("series", "numbers"), [("chat", 12), ("poker", 1), ("redis", [])])
def test_a_stage_that_there_is_not(series, numbers):
    with pytest.raises(ValueError, match="there is no stage"):
        check_stage(series, numbers, load("chat").serve)


def test_without_the_tools_a_stage_is_not_asked(monkeypatch, capsys):
    """And counts as met: nobody can help it."""
    monkeypatch.setenv("PATH", "")
    serve = load("redis").serve
    with pytest.raises(NotAsked, match="redis-cli is not installed"):
        put_stage(stage_of("redis", "redis cli understands"), start(serve))
    beside_redis(serve)
    assert capsys.readouterr().out == "not asked: redis-server is not installed\n"


def test_a_verdict_is_one_line():
    assert StageVerdict("chat", 3, 11).progress() == "chat  ■■■□□□□□□□□  3 of 11 stages"


# The lesson.


def test_a_dropped_guest_is_not_heard_again():
    """It was dropped in the turn in which it said something: what it is owed is thrown away."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        guest = load("chat").Guest(ours, {})
        guest.name = "slow"
        theirs.send(b"I am here\n")
        guest.lost()
        guest.receive()
        assert guest.eof


def definitions(source):
    """{name: what it is, without comments and the way it is written down}"""
    return {
        node.name: ast.unparse(node)
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }


def test_solutions_of_the_lesson_are_the_references():
    """In their order, each in the place of an earlier one with its name."""
    cells = nbformat.read(ROOT / "notebooks" / "10_your_server.ipynb", as_version=4).cells
    found = {}
    for cell in cells:
        if cell.id.startswith(("room-", "redis-")) and cell.cell_type == "code":
            found |= definitions(cell.source)
        if cell.id.endswith("-hints"):
            solution = cell.source.partition("<summary>Solution</summary>")[2]
            found |= definitions(re.search(r"(?s)```python\n(.*?)```", solution)[1])
    serves = {found["serve"], found["redis"].replace("def redis", "def serve")}
    for series in STAGES_OF:
        for name, text in definitions(inspect.getsource(load(series))).items():
            text = text.replace("LONGEST", "1000").replace("MOST", "1000000")
            assert text in (serves if name == "serve" else {found[name]}), name
