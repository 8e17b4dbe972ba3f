"""tools.execute stores what every run has in common, and leaves as it was what it cannot store.

It says in one sentence what is wrong with such a lesson.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tests.paths import ROOT
from tests.tools.one_lesson import code_cells, printed, tool, write_lesson
from tools import execute

TOOL = [sys.executable, "-m", "tools.execute"]


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
            [*TOOL, str(stored)],
            cwd=ROOT,
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
            [*TOOL, "--jobs", "2", *map(str, paths)],
            cwd=ROOT,
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
        monkeypatch.setattr(execute, "run", lambda path, notebook: None)

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

            monkeypatch.setattr(execute, "run", run)

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
