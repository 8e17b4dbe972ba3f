"""The guards of the lessons hold: what is stored cannot differ from what runs unnoticed.

A small lesson of our own is executed and stored once; then copies of it are tampered with, one
change in a cell at a time.  Each change must be found by nbval, by `execute.py --check`, or by
the tests in test_stored.py, and whoever finds it must name the place.  And execute.py says in
one sentence what is wrong with a lesson, and leaves such a lesson as it was.
"""

import contextlib
import copy
import io
import json
import os
import re
import runpy
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import test_stored
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.paths import ROOT

TOOL = ROOT / "tools" / "execute.py"
execute = SimpleNamespace(**runpy.run_path(str(TOOL)))

DRAWING = """\
class Drawing:
    def _repr_mimebundle_(self, **_):
        picture = '<svg role="img" aria-label="a line"><path d="M 1.0 2.0 L 3.0 4.0"/></svg>'
        return {"text/plain": "a line", "text/html": picture}
Drawing()"""
CELLS = {  # id -> source, tags
    "say": ("print('asleep in select')\nprint('two clients')", []),
    "value": ("6 * 7", []),
    "draw": (DRAWING, []),
    "fail": ("[].pop()", ["raises-exception"]),
    "time": ("import time\nprint(time.perf_counter_ns())", ["nbval-ignore-output"]),
    "last": ("print('0 threads, 0 sockets left')", []),
}


def lesson(cells=CELLS):
    """A notebook that never ran; between its cells there is prose, as in a lesson."""
    notebook = new_notebook(metadata={"lesson": {"time": "1 minute"}, "signature": "of a machine"})
    for name, (text, tags) in cells.items():
        notebook.cells.append(new_markdown_cell(f"What does `{name}` say?", id=f"about-{name}"))
        metadata = {"tags": tags, "collapsed": True}
        if name == "value":
            metadata["exercise"] = {"minutes": 5, "difficulty": "easy"}
        notebook.cells.append(new_code_cell(text, id=name, metadata=metadata))
    return notebook


def tool(*arguments):
    """Run the tool from a folder that is not the repository's; what it said and returned.

    It runs in this process: to import nbformat anew takes two seconds.
    """
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir("/"), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = execute.main([str(argument) for argument in arguments])
    return SimpleNamespace(returncode=code, stdout=out.getvalue(), stderr=err.getvalue())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("lessons")


@pytest.fixture(scope="module")
def stored(folder):
    """The lesson, executed and stored.  No test changes it."""
    path = folder / "lesson.ipynb"
    nbformat.write(lesson(), path)
    done = tool(path)
    assert done.stdout == "1 executed, 1 changed: lesson.ipynb\n", done.stderr
    return path


@pytest.fixture
def tampered(stored, tmp_path):
    """Apply a function to a copy of the stored lesson; where the copy is."""

    def tamper(change):
        notebook = nbformat.read(stored, as_version=4)
        change({cell.id: cell for cell in notebook.cells}, notebook)
        path = tmp_path / "lesson.ipynb"
        path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
        return path

    return tamper


def replace_in(output, old, new):
    """Change every text of an output in which `old` stands."""
    text = json.dumps(output)
    assert old in text
    output.update(nbformat.from_dict(json.loads(text.replace(old, new))))


class TestExecute:
    def test_the_second_run_changes_nothing(self, stored):
        """Also where the user has another kernel "python3", a profile and a backend."""
        home = stored.parent / "home"
        spec = home / ".local/share/jupyter/kernels/python3/kernel.json"
        spec.parent.mkdir(parents=True)
        spec.write_text('{"argv": ["false"], "display_name": "wrong", "language": "python"}')
        startup = home / ".ipython/profile_default/startup/00.py"
        startup.parent.mkdir(parents=True)
        startup.write_text("raise SystemExit")
        before = stored.read_bytes()
        done = subprocess.run(
            [sys.executable, str(TOOL), str(stored)],
            env={**os.environ, "HOME": str(home), "MPLBACKEND": "none such"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.stdout, done.stderr) == ("1 executed, 0 changed\n", "")
        assert stored.read_bytes() == before

    def test_keeps_what_the_lesson_says_about_itself(self, stored):
        notebook = nbformat.read(stored, as_version=4)
        cells = {cell.id: cell for cell in notebook.cells}
        assert notebook.metadata == {**execute.METADATA, "lesson": {"time": "1 minute"}}
        assert cells["fail"].metadata == {"tags": ["raises-exception"]}
        assert cells["value"].metadata == {"exercise": {"minutes": 5, "difficulty": "easy"}}

    def test_a_picture_about_time_is_kept_until_someone_asks(self, stored, tmp_path):
        path = tmp_path / "lesson.ipynb"
        path.write_bytes(stored.read_bytes())
        done = tool("--redraw", path)
        assert done.stdout == "1 executed, 1 changed: lesson.ipynb\n"
        pairs = zip(code_cells(stored), code_cells(path), strict=True)
        assert [old.id for old, new in pairs if old != new] == ["time"]


def write_lesson(path, *sources):
    cells = [new_code_cell(text, id=f"c{i}") for i, text in enumerate(sources)]
    nbformat.write(new_notebook(cells=cells), path)
    return path


MEET = """
import pathlib, time
pathlib.Path({mine!r}).touch()
until = time.monotonic() + 20
while not pathlib.Path({others!r}).exists() and time.monotonic() < until:
    time.sleep(0.01)
assert time.monotonic() < until, "it never came"
"""


class TestSeveralLessons:
    def test_run_at_a_time_and_are_reported_in_the_order_named(self, tmp_path):
        """Each waits for the other, and the first is done last."""
        one, other = str(tmp_path / "one"), str(tmp_path / "other")
        first = write_lesson(
            *(tmp_path / "first.ipynb", MEET.format(mine=one, others=other)),
            *("time.sleep(1)", "print('recorded: elsewhere')\nprint('first')"),
        )
        second = write_lesson(
            *(tmp_path / "second.ipynb", MEET.format(mine=other, others=one)),
            *("2", "print('recorded: elsewhere')\nprint('second')"),
        )
        done = tool("--check", first, second)
        assert (
            done.stdout
            == "".join(
                f"{path}: this machine cannot show all that is stored\n"
                "    cell 3 (id c2, [3]): recorded: elsewhere\n"
                for path in (first, second)
            )
            + "2 executed, 2 would change: first.ipynb second.ipynb\n"
        )
        assert done.stderr.index("first.ipynb") < done.stderr.index("second.ipynb")

    def test_an_interrupt_ends_them_all(self, tmp_path):
        """Nobody waits a minute for a cell that never ends; no kernel stays, no file changes."""
        paths = []
        for name in ("a", "b", "c"):
            begun = tmp_path / f"{name} has begun"
            cell = f"import os, pathlib, time\npathlib.Path({str(begun)!r}).write_text(str("
            cell += "os.getpid()))\ntime.sleep(50)"
            paths.append(write_lesson(tmp_path / f"{name}.ipynb", cell))
        before = [path.read_bytes() for path in paths]
        running = subprocess.Popen(
            [sys.executable, str(TOOL), *map(str, paths)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun = [tmp_path / "a has begun", tmp_path / "b has begun"]
        until = time.monotonic() + 40
        while not all(path.exists() and path.read_text() for path in begun):
            assert time.monotonic() < until
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=20)
        assert (running.returncode, out) == (130, "")
        assert err == "".join(f"interrupted: {path} is left as it was\n" for path in paths)
        assert [path.read_bytes() for path in paths] == before
        assert not any(Path(f"/proc/{path.read_text()}").exists() for path in begun)
        assert not (tmp_path / "c has begun").exists()

    def test_how_many_can_be_said(self):
        with pytest.raises(SystemExit):
            tool("--jobs", "0", "lesson.ipynb")


def code_cells(path):
    cells = nbformat.read(path, as_version=4).cells
    return [cell for cell in cells if cell.cell_type == "code"]


FAULTS = {  # lesson -> sources of its cells, what is said about it
    "raises": (["1", "x = 1\nprint(y)"], ", cell 2 (id c1, [2]) raises an error that no tag"),
    "ends": (["1", "import os\nos._exit(1)"], ", cell 2 (id c1) ended the kernel"),
    "address": (["class A: ...", "A()"], ", cell 2 (id c1, [2]) stores a memory address: 'at 0x"),
    "recorded": (
        ["print('as ever')", "print('a')\nprint('recorded: elsewhere')"],
        " is left as it was: this machine cannot show all that is stored\n    cell 2 (id c1, [2])",
    ),
}
NO_NOTEBOOKS = {  # file -> what is in it, what is said about it
    "text": ("hello", " is not a notebook: not JSON"),
    "list": ("[1]", " is not a notebook: JSON, but of another kind"),
    "old": (
        '{"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": []}',
        " is not a notebook of format 4",
    ),
    "cells": (
        '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{}]}',
        " is not a valid notebook: ",
    ),
}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """One run of the tool over many files, each with its own fault."""
    folder = tmp_path_factory.mktemp("faults")
    for name, (sources, _) in FAULTS.items():
        write_lesson(folder / f"{name}.ipynb", *sources)
    for name, (text, _) in NO_NOTEBOOKS.items():
        (folder / f"{name}.ipynb").write_text(text)
    before = {path: path.read_bytes() for path in sorted(folder.iterdir())}
    done = tool(*before, folder / "missing.ipynb")
    done.before, done.after = before, {path: path.read_bytes() for path in folder.iterdir()}
    return done


class TestWhatCannotBeStored:
    @pytest.mark.parametrize("name", [*FAULTS, *NO_NOTEBOOKS])
    def test_says_what_and_where(self, done, name):
        _, said = {**FAULTS, **NO_NOTEBOOKS}[name]
        assert done.stderr.count(f"/{name}.ipynb{said}") == 1

    def test_names_a_missing_file(self, done):
        assert "missing.ipynb: No such file or directory\n" in done.stderr

    def test_shows_the_line_and_the_error_and_no_stack(self, done):
        assert "    ----> 2 print(y)\n    NameError: name 'y' is not defined\n" in done.stderr
        assert "Traceback" not in done.stderr

    def test_leaves_every_file_as_it_was_and_none_beside_it(self, done):
        assert done.before == done.after
        assert done.returncode == 1
        assert done.stdout.startswith("0 executed, 0 changed, 9 failed: ")


UNSTABLE = {
    "a memory address": "<function serve at 0x7f86bb1a7080>",
    "a port": "('127.0.0.1', 40123)",
    "a path of this machine": "/tmp/lessons",
    "a file descriptor": "<socket.socket fd=62, family=2>",
    "a process or thread": "Thread-5 (serve)",
    "a time": "it took 0.04 s",
    "a measured number": "0.100328",
}


class TestWhatIsLookedAt:
    """The same without a kernel: the cell has run and printed what stands here."""

    @pytest.fixture
    def ran(self, monkeypatch):
        monkeypatch.setitem(execute.execute.__globals__, "run", lambda path, notebook: None)

        def ran(text, tags=()):
            cell = new_code_cell("1", id="c0", execution_count=1, metadata={"tags": list(tags)})
            printed(text)({"value": cell}, None)
            notebook = new_notebook(cells=[cell])
            return execute.execute(Path("lesson.ipynb"), notebook), cell

        return ran

    @pytest.fixture
    def result(self, monkeypatch):
        """Let the run end with these outputs too."""

        def result(outputs):
            def run(_, notebook):
                notebook.cells[0].outputs += outputs

            monkeypatch.setitem(execute.execute.__globals__, "run", run)

        return result

    @pytest.mark.parametrize("what", execute.UNSTABLE | execute.MEASURED)
    def test_what_differs_from_run_to_run_is_refused(self, ran, what):
        with pytest.raises(execute.LessonError) as caught:
            ran(UNSTABLE[what])
        assert str(caught.value).startswith(f"lesson.ipynb, cell 1 (id c0, [1]) stores {what}: ")

    @pytest.mark.parametrize("what", execute.MEASURED)
    def test_a_picture_about_time_may_show_times(self, ran, what):
        ran(UNSTABLE[what], tags=["nbval-ignore-output"])

    def test_a_recorded_line_is_dropped_and_reported(self, ran):
        recorded, cell = ran("7 clients\nrecorded: on another machine\nall served\n")
        assert recorded == ["cell 1 (id c0, [1]): recorded: on another machine"]
        assert cell.outputs[0].text == "7 clients\nall served\n"

    def test_above_a_table_it_is_dropped_as_well(self, ran, result):
        """nbval drops it from whatever is shown; the same line is reported once."""
        data = {"text/plain": "reduced: to 7\na  b", "text/html": "reduced: to 7\n<table></table>"}
        result([nbformat.v4.new_output("display_data", data)])
        recorded, cell = ran("as ever\n")
        assert recorded == ["cell 1 (id c0, [1]): reduced: to 7"]
        assert cell.outputs[1].data == {"text/plain": "a  b", "text/html": "<table></table>"}

    def test_only_a_line_that_begins_so_is_dropped(self, ran):
        recorded, cell = ran("it is recorded: here\n")
        assert (recorded, cell.outputs[0].text) == ([], "it is recorded: here\n")

    @pytest.mark.parametrize("value", [[], [nbformat.v4.new_output("execute_result")]])
    def test_a_recorded_line_alone_is_refused(self, ran, result, value):
        """nbval would find something printed where the stored cell prints nothing.

        To show a value is not to print: for nbval these are two outputs.
        """
        result(value)
        with pytest.raises(execute.LessonError, match="and nothing else"):
            ran("reduced: to 100 clients\n")

    def test_a_picture_about_time_may_stand_below_it(self, ran):
        """nbval does not compare what that cell prints or shows."""
        recorded, _ = ran("reduced: to 100 clients\n", tags=["nbval-ignore-output"])
        assert len(recorded) == 1


# What only a run can find: cell -> how its stored output is changed, by one character.
ALTERED = {
    "say": ("asleep in select", "asleep in selekt"),
    "value": ("42", "43"),
    "draw": ("M 1.0 2.0", "M 1.0 2.1"),
    "fail": ("pop from empty list", "pop from empty lisp"),
}


@pytest.fixture
def altered(tampered):
    def change(cells, _):
        for name, (old, new) in ALTERED.items():
            replace_in(cells[name].outputs[0], old, new)

    return tampered(change)


class TestAlteredOutputs:
    def test_check_names_each_place_and_writes_nothing(self, altered):
        before = altered.read_bytes()
        done = tool("--check", altered)
        assert (done.returncode, altered.read_bytes()) == (1, before)
        assert done.stdout == "1 executed, 1 would change: lesson.ipynb\n"
        for name, (old, new) in ALTERED.items():
            number = 2 * list(CELLS).index(name) + 2
            place = f"lesson.ipynb, cell {number} (id {name}, [{number // 2}]) would change"
            assert place in done.stderr
            assert re.search(rf"^    - .*{re.escape(new)}", done.stderr, re.MULTILINE)
            assert re.search(rf"^    \+ .*{re.escape(old)}", done.stderr, re.MULTILINE)
        assert "(id time" not in done.stderr
        assert "(id last" not in done.stderr
        assert max(map(len, done.stderr.splitlines())) < 160

    def test_nbval_names_each_place(self, altered):
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", "/dev/null"]
        command += ["--nbval", "--nbval-current-env", "-q", "-rf", str(altered)]
        command += [f"--nbval-sanitize-with={ROOT / 'sanitize.cfg'}", "--nbval-cell-timeout=30"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        failed = re.findall(r"FAILED .*lesson\.ipynb::Cell (\d+)", done.stdout)
        assert [list(CELLS)[int(number)] for number in failed] == list(ALTERED), done.stdout


def cleared(cell):
    cell.outputs, cell.execution_count = [], None


def swapped(one, other):
    one.execution_count, other.execution_count = other.execution_count, one.execution_count


def shown_as(mime, value):
    return lambda cells, _: cells["value"].outputs[0].data.update({mime: value})


def added_source(text):
    return lambda cells, _: cells["value"].update(source=f"{text}\n6 * 7")


def printed(text, name="stdout"):
    stream = nbformat.from_dict({"output_type": "stream", "name": name, "text": text})
    return lambda cells, _: cells["value"].outputs.insert(0, stream)


# What nbval overlooks: what was done -> (by which test it is found, where, how to do it).
OVERLOOKED = {
    "a cell was cleared": (
        "test_every_cell_was_run_once_from_top_to_bottom",
        "say",
        lambda cells, _: cleared(cells["say"]),
    ),
    "every cell was cleared": (
        "test_every_cell_was_run_once_from_top_to_bottom",
        "say",
        lambda cells, _: [cleared(cells[name]) for name in CELLS],
    ),
    "two cells were run in another order": (
        "test_every_cell_was_run_once_from_top_to_bottom",
        "say",
        lambda cells, _: swapped(cells["say"], cells["last"]),
    ),
    "a result is of another run": (
        "test_every_cell_was_run_once_from_top_to_bottom",
        "value",
        lambda cells, _: cells["value"].outputs[0].update(execution_count=7),
    ),
    "a cell is empty": (
        "test_every_cell_was_run_once_from_top_to_bottom",
        "last",
        lambda cells, _: cells["last"].update(source=" "),
    ),
    "a tag says: skip": (
        "test_no_cell_is_left_out",
        "value",
        lambda cells, _: cells["value"].metadata.update(tags=["nbval-skip"]),
    ),
    "a comment says: skip": (
        "test_no_cell_is_left_out",
        "value",
        added_source("# NBVAL_IGNORE_OUTPUT"),
    ),
    "an output is not compared, without a reason": (
        "test_no_cell_is_left_out",
        "time",
        lambda cells, _: None,
    ),
    "an announced error does not come": (
        "test_errors_are_those_announced",
        "say",
        lambda cells, _: cells["say"].metadata.update(tags=["raises-exception"]),
    ),
    "an error is not announced": (
        "test_errors_are_those_announced",
        "fail",
        lambda cells, _: cells["fail"].metadata.update(tags=[]),
    ),
    "a traceback tells another story": (
        "test_errors_are_those_announced",
        "fail",
        lambda cells, _: cells["fail"].outputs[0].traceback.append("KeyError: 1"),
    ),
    "a warning is stored": (
        "test_what_is_printed_is_in_order",
        "value",
        printed("careful\n", "stderr"),
    ),
    "stdout is stored in parts": (
        "test_what_is_printed_is_in_order",
        "say",
        lambda cells, _: cells["say"].outputs.append(copy.copy(cells["say"].outputs[0])),
    ),
    "a PNG is shown": (
        "test_what_is_shown_is_compared",
        "value",
        shown_as("image/png", "aGVsbG8="),
    ),
    "a widget is stored": (
        "test_what_is_shown_is_compared",
        "value",
        shown_as(execute.WIDGET, {"model_id": "1"}),
    ),
    "an output has metadata": (
        "test_what_is_shown_is_compared",
        "value",
        lambda cells, _: cells["value"].outputs[0].update(metadata={"width": 7}),
    ),
    "a picture has no words": (
        "test_what_is_shown_can_be_read_as_text",
        "draw",
        lambda cells, _: cells["draw"].outputs[0].data.update({"text/plain": "<Figure>"}),
    ),
    "a picture has no alt text": (
        "test_what_is_shown_can_be_read_as_text",
        "draw",
        lambda cells, _: replace_in(cells["draw"].outputs[0], 'aria-label=\\"a line\\"', ""),
    ),
    "it was stored on a lesser machine": (
        "test_shows_what_a_capable_machine_shows",
        "value",
        printed("reduced: to 100 clients\n"),
    ),
    "a time is shown": (
        "test_shows_nothing_that_differs_from_run_to_run",
        "value",
        printed("served in 0.04 s\n"),
    ),
    "a measured number is shown": (
        "test_shows_nothing_that_differs_from_run_to_run",
        "value",
        printed("0.10032\n"),
    ),
    "a port is shown": (
        "test_shows_nothing_that_differs_from_run_to_run",
        "value",
        printed("listening on 127.0.0.1:40123\n"),
    ),
    "a descriptor is shown": (
        "test_shows_nothing_that_differs_from_run_to_run",
        "value",
        printed("readable: fd 62\n"),
    ),
    "two cells start a server alike": (
        "test_no_two_cells_start_a_server_alike",
        "say",
        lambda cells, _: [
            cells[name].update(source="server = start(serve)") for name in ("say", "last")
        ],
    ),
    "cell metadata of an editor": (
        "test_cell_metadata",
        "about-last",
        lambda cells, _: cells["about-last"].metadata.update(editable=False),
    ),
    "an exercise takes no time": (
        "test_cell_metadata",
        "value",
        lambda cells, _: cells["value"].metadata.exercise.update(minutes=0),
    ),
    "notebook metadata of a machine": (
        "test_notebook_metadata",
        None,
        lambda _, notebook: notebook.metadata.language_info.update(version="3.11.7"),
    ),
    "a lesson without a card": (
        "test_notebook_metadata",
        None,
        lambda _, notebook: notebook.metadata.pop("lesson"),
    ),
}


class TestWhatNbvalOverlooks:
    @pytest.mark.parametrize("what", OVERLOOKED)
    def test_is_found_and_the_place_named(self, tampered, what):
        test, name, change = OVERLOOKED[what]
        path = tampered(change)
        with pytest.raises(AssertionError) as caught:
            getattr(test_stored.TestStored(), test)(path)
        assert "lesson.ipynb" in str(caught.value)
        if name:
            assert f"(id {name}" in str(caught.value)

    def test_a_file_that_was_indented_anew_is_found(self, stored, tmp_path):
        path = tmp_path / "lesson.ipynb"
        path.write_text(json.dumps(json.loads(stored.read_text()), indent=2))
        with pytest.raises(AssertionError, match="was not written by"):
            test_stored.TestStored().test_is_as_the_tool_writes_it(path)

    def test_there_is_a_change_for_every_test(self):
        tests = {name for name in vars(test_stored.TestStored) if name.startswith("test_")}
        assert {test for test, _, _ in OVERLOOKED.values()} == tests - {
            "test_is_as_the_tool_writes_it"
        }

    @pytest.mark.parametrize(
        "name", [name for name in vars(test_stored.TestStored) if name.startswith("test_")]
    )
    def test_an_honest_lesson_passes(self, stored, name, monkeypatch):
        monkeypatch.setitem(test_stored.MAY_IGNORE, "lesson", "its subject is time")
        getattr(test_stored.TestStored(), name)(stored)

    def test_a_series_without_lessons_is_found(self, monkeypatch):
        monkeypatch.setattr(test_stored, "LESSONS", [])
        with pytest.raises(AssertionError, match="no lesson"):
            test_stored.test_there_are_lessons()


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",  # without a port it is the same everywhere
        "2 descriptors, 0 sockets left",
        "descriptor 1024 cannot be expressed",
        "fd 0, 1 and 2",
        "within 5 s",
        "Python 3.11.7",
        "1.5 system calls an echo",
        "[1, 4]",
    ],
)
def test_what_is_stable_may_be_shown(text):
    output = nbformat.from_dict({"output_type": "stream", "name": "stdout", "text": text})
    assert not list(execute.unstable(output))


def test_shown_source_may_say_anything():
    """It is the text of a file; tests of the file look after it."""
    data = {"text/html": '<pre class="echo-source">fd 62</pre>', "text/plain": "fd 62"}
    output = nbformat.from_dict({"output_type": "display_data", "data": data, "metadata": {}})
    assert not list(execute.unstable(output))


class TestSanitize:
    """nbval reads pairs of lines; one without the blank after `replace:` would not be seen."""

    RULES = re.findall(
        r"^regex: (.*)$\n^replace: (.*)$", (ROOT / "sanitize.cfg").read_text(), re.MULTILINE
    )

    def test_every_rule_is_read(self):
        assert len(self.RULES) == (ROOT / "sanitize.cfg").read_text().count("regex: ") == 2

    def test_the_tool_and_nbval_drop_the_same_lines(self):
        assert (execute.RECORDED.pattern, "") in self.RULES

    def test_only_the_place_of_letters_is_dropped(self):
        (regex, replacement) = self.RULES[0]
        letters = '<text style="a" x="1.0" y="2.0" transform="rotate(0)">call 1</text>'
        assert re.sub(regex, replacement, letters) == '<text style="a">call 1</text>'
        shape = '<rect x="1.0" y="2.0" transform="rotate(0)"/>'
        assert re.sub(regex, replacement, shape) == shape


class TestSoak:
    """The lessons take turns beside load; there are eleven of them, and there is half an hour."""

    soak = SimpleNamespace(**runpy.run_path(str(ROOT / "tools" / "soak.py")))

    @pytest.mark.parametrize("count", [1, 3, 5, 11, 13])
    def test_each_lesson_is_run_three_times_and_none_twice_in_a_round(self, count):
        lessons = [f"notebooks/{number:02}.ipynb" for number in range(count)]
        run = Counter()
        for number in range(1, 11):
            command = self.soak.steps_of(number, lessons)["lessons"]
            turn = [word for word in command if word in lessons]
            assert len(turn) == len({*turn}) == min(4, count)
            run.update(turn)
        assert run.keys() == {*lessons}
        assert min(run.values()) >= 3
        assert max(run.values()) - min(run.values()) <= 1

    def test_what_depends_on_time_is_run_in_each_round(self):
        for number in range(1, 11):
            assert "timing and not soak" in self.soak.steps_of(number)["tests"]
