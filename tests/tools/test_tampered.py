"""The guards of the lessons hold: what is stored cannot differ from what runs unnoticed.

Copies of a small lesson are tampered with, one change in a cell at a time.  Each change must be
found by nbval, by `tools.execute --check`, or by the tests in test_stored.py, and whoever finds it
must name the place.
"""

import base64
import copy
import json
import re
import subprocess
import sys

import nbformat
import pytest

from tests.lessons import test_stored
from tests.paths import ROOT
from tests.tools.one_lesson import CELLS, LINE, printed, replace_in, tool
from tools import execute

# What only a run can find: cell -> how its stored output is changed, by one character.
ALTERED = {
    "say": ("asleep in select", "asleep in selekt"),
    "value": ("42", "43"),
    "draw": (LINE, base64.b64encode(base64.b64decode(LINE).replace(b"2.0", b"2.1")).decode()),
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
        lambda cells, _: replace_in(cells["draw"].outputs[0], 'alt=\\"a line\\"', ""),
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
    "cell metadata of another tool": (
        "test_cell_metadata",
        "about-last",
        lambda cells, _: cells["about-last"].metadata.update(slideshow={"slide_type": "skip"}),
    ),
    "an exercise takes no time": (
        "test_cell_metadata",
        "value",
        lambda cells, _: cells["value"].metadata.exercise.update(minutes=0),
    ),
    "another kernel": (
        "test_notebook_metadata",
        None,
        lambda _, notebook: notebook.metadata.kernelspec.update(name="conda-env-echo-py"),
    ),
    "another language": (
        "test_notebook_metadata",
        None,
        lambda _, notebook: notebook.metadata.language_info.update(name="julia"),
    ),
    "notebook metadata of another tool": (
        "test_notebook_metadata",
        None,
        lambda _, notebook: notebook.metadata.update(toc={"base_numbering": 1}),
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


class TestSanitize:
    """nbval reads pairs of lines; one without the blank after `replace:` would not be seen."""

    RULES = re.findall(
        r"^regex: (.*)$\n^replace: (.*)$", (ROOT / "sanitize.cfg").read_text(), re.MULTILINE
    )

    def test_every_rule_is_read(self):
        assert len(self.RULES) == (ROOT / "sanitize.cfg").read_text().count("regex: ") == 1

    def test_the_tool_and_nbval_drop_the_same_lines(self):
        assert (execute.RECORDED.pattern, "") in self.RULES


class TestOpenedAndSaved:
    """What a front end adds to a lesson that somebody only opened is no change of the lesson."""

    @pytest.fixture
    def saved(self, tampered):
        def save(cells, notebook):
            notebook.metadata.language_info.update(version="3.12.1", mimetype="text/x-python")
            notebook.metadata.kernelspec.update(display_name="Python [conda env:echo]")
            cells["about-last"].metadata.update(editable=False)
            cells["value"].metadata.update(trusted=True, collapsed=True, scrolled=False)
            cells["value"].metadata.update(jupyter={"outputs_hidden": True})
            cells["last"].metadata.update(execution={"iopub.execute_input": "2026-01-01"})

        return tampered(save)

    def test_passes(self, saved):
        done = tool("--check", saved)
        assert (done.returncode, done.stdout, done.stderr) == (
            0,
            "1 executed, 0 would change\n",
            "",
        )
        test_stored.TestStored().test_cell_metadata(saved)
        test_stored.TestStored().test_notebook_metadata(saved)
        test_stored.TestStored().test_is_as_the_tool_writes_it(saved)

    def test_is_cleaned_when_it_is_stored(self, saved, stored):
        assert tool(saved).stdout == "1 executed, 1 changed: lesson.ipynb\n"
        assert saved.read_bytes() == stored.read_bytes()

    @pytest.mark.parametrize("change", ["source", "output"])
    def test_is_no_cover_for_a_change(self, saved, change):
        notebook = nbformat.read(saved, as_version=4)
        (cell,) = [cell for cell in notebook.cells if cell.id == "value"]
        if change == "source":
            cell.source = "6 * 8"
        else:
            replace_in(cell.outputs[0], "42", "43")
        saved.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
        done = tool("--check", saved)
        assert done.stdout == "1 executed, 1 would change: lesson.ipynb\n"
        assert "outputs_hidden" not in done.stderr
        assert "(id value" in done.stderr
