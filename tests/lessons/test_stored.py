"""What is stored in the lessons is what ran, and all of it is compared.

nbval runs the lessons and compares most of what they show.  It overlooks a cell that was never
run, counts, metadata, tracebacks, stderr, pictures other than SVG and cells that are told to be
skipped.  Each test here closes one of those holes; none of them needs a kernel.
"""

import re
from collections import Counter

import nbformat
import pytest

from tests.paths import LESSONS
from tools import execute

# lesson -> why the output of one of its cells is not compared
MAY_IGNORE = dict.fromkeys(
    ["03_select", "04_poll", "05_epoll"],
    "what a wait costs on this machine, drawn; the next cell says its shape",
) | {"07_scaling": "the memory of servers on this machine, drawn; the cell before says its shape"}
ALLOWED_TAGS = {"raises-exception", "nbval-ignore-output"}
# Learners see no marks of the tests: what nbval must know stands in tags.
MARKER = re.compile(r"^\s*#\s*(NBVAL_|PYTEST_VALIDATE)", re.MULTILINE)
NOT_COMPARED = {"image/png", "image/jpeg", execute.WIDGET}
STARTS = re.compile(r"\bstart\(")


def code_cells(path):
    """Pairs of where a code cell stands, in words, and the cell."""
    notebook = nbformat.read(path, as_version=4)
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            yield execute.place(path.name, notebook, index), cell


def tags(cell):
    return set(cell.metadata.get("tags", []))


def outputs(cell, kind):
    return [output for output in cell.outputs if output.output_type == kind]


def test_there_are_lessons():
    """Every test below would pass with none."""
    assert LESSONS, "no lesson in notebooks/"


def test_only_lessons_there_are_may_ignore():
    assert set(MAY_IGNORE) <= {path.stem for path in LESSONS}


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
class TestStored:
    def test_is_as_the_tool_writes_it(self, path):
        """Otherwise the next `make lessons` changes lines that nobody touched."""
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        written = path.read_text(encoding="utf-8") == nbformat.writes(notebook) + "\n"
        assert written, f"{path.name} was not written by tools.execute"

    def test_notebook_metadata(self, path):
        """The kernel that every machine has, the lesson's card, and nothing else of ours.

        What JupyterLab writes into a lesson that was opened and saved is not looked at.
        """
        metadata = execute.essential(nbformat.read(path, as_version=4).metadata)
        others = {key: value for key, value in metadata.items() if key != "lesson"}
        assert others == execute.METADATA, f"{path.name}: run python -m tools.execute"
        card = metadata.get("lesson")
        assert isinstance(card, dict), f"{path.name} has no card: metadata `lesson`"
        assert card, f"{path.name} has an empty card: metadata `lesson`"
        assert all(card.values()), f"{path.name}: something on its card is empty: {card}"

    def test_cell_metadata(self, path):
        """Tags, and of an exercise its minutes and how hard it is."""
        notebook = nbformat.read(path, as_version=4)
        for index, cell in enumerate(notebook.cells):
            where = execute.place(path.name, notebook, index)
            others = set(cell.metadata) - {"tags", "exercise"} - execute.OF_A_FRONT_END
            assert not others, f"{where}: {dict(cell.metadata)}"
            if "exercise" in cell.metadata:
                about = cell.metadata.exercise
                assert set(about) == {"minutes", "difficulty"}, f"{where}: {dict(about)}"
                assert type(about.minutes) is int, f"{where}: minutes are a whole number"
                assert about.minutes > 0, f"{where}: an exercise takes its time"
                assert about.difficulty, f"{where}: how hard is it?"

    def test_every_cell_was_run_once_from_top_to_bottom(self, path):
        """nbval skips a cell without a count, and does not look at the order."""
        for count, (where, cell) in enumerate(code_cells(path), 1):
            assert cell.source.strip(), f"{where} is empty"
            assert cell.execution_count == count, f"{where} should have run as number {count}"
            for result in outputs(cell, "execute_result"):
                assert result.execution_count == count, f"{where} shows another run's result"

    def test_no_cell_is_left_out(self, path):
        """Of the tags and comments that nbval knows, most say: do not look."""
        ignored = []
        for where, cell in code_cells(path):
            assert not MARKER.search(cell.source), f"{where}: use a tag, if any"
            assert tags(cell) <= ALLOWED_TAGS, f"{where}: tagged {sorted(tags(cell))}"
            if "nbval-ignore-output" in tags(cell):
                ignored.append(where)
        allowed = int(path.stem in MAY_IGNORE)
        assert len(ignored) <= allowed, f"not compared, MAY_IGNORE has no reason: {ignored}"

    def test_errors_are_those_announced(self, path):
        """nbval compares an error's name and message, and not whether a tag announces it."""
        for where, cell in code_cells(path):
            announced, errors = "raises-exception" in tags(cell), outputs(cell, "error")
            assert errors or not announced, f"{where} is tagged raises-exception and does not"
            assert announced or not errors, f"{where} raises; no tag announces it"
            for error in errors:
                last = f"{error.ename}: {error.evalue}"
                assert error.traceback[-1:] == [last], f"{where}: the traceback does not end so"

    def test_what_is_printed_is_in_order(self, path):
        """stdout and stderr race, and nbval joins what was printed in parts."""
        for where, cell in code_cells(path):
            streams = [output.name for output in outputs(cell, "stream")]
            assert "stderr" not in streams, f"{where} writes to stderr; print instead"
            assert len(streams) <= 1, f"{where} stores its stdout in {len(streams)} parts"

    def test_what_is_shown_is_compared(self, path):
        """nbval skips PNG, JPEG, widgets and the metadata of an output."""
        for where, cell in code_cells(path):
            for output in cell.outputs:
                skipped = NOT_COMPARED & set(output.get("data", {}))
                assert not skipped, f"{where} shows {skipped}; show SVG or HTML"
                assert not output.get("metadata"), f"{where}: metadata of an output"

    def test_what_is_shown_can_be_read_as_text(self, path):
        """On paper, in a terminal and for a screen reader a picture is its words."""
        for where, cell in code_cells(path):
            for output in cell.outputs:
                data = output.get("data", {})
                markup = data.get("text/html", "") + data.get("image/svg+xml", "")
                if markup:
                    words = data.get("text/plain", "").strip()
                    assert words, f"{where} has no text beside its picture"
                    assert words[0] != "<", f"{where}: text/plain is {words[:40]!r}"
                assert "<svg" not in markup, f"{where}: an <svg> is dropped; show an <img>"
                for image in re.findall(r"<img\b[^>]*>", markup):
                    assert re.search(r'\balt="[^"]', image), f"{where}: the <img> has no alt text"

    def test_shows_what_a_capable_machine_shows(self, path):
        """sanitize.cfg drops these lines, so nbval would never miss them."""
        for where, cell in code_cells(path):
            texts = [output.text for output in outputs(cell, "stream")]
            texts += [data for out in cell.outputs for data in out.get("data", {}).values()]
            for text in texts:
                found = execute.RECORDED.search(str(text))
                assert not found, f"{where} was stored on a lesser machine: {found[0]!r}"

    def test_shows_nothing_that_differs_from_run_to_run(self, path):
        """No time, port, address or descriptor number, as far as they can be told by their look."""
        for where, cell in code_cells(path):
            timed = "nbval-ignore-output" in tags(cell)
            for output in cell.outputs:
                found = list(execute.unstable(output, timed))
                assert not found, f"{where} shows {found}"

    def test_no_two_cells_start_a_server_alike(self, path):
        """A server ends when its cell runs again; nbval sends no id, so equal text is one cell."""
        starting = Counter(c.source.strip() for _, c in code_cells(path) if STARTS.search(c.source))
        for where, cell in code_cells(path):
            alike = starting[cell.source.strip()]
            assert alike <= 1, f"{where} and another start a server with the same text"
