"""The working copy: what somebody wrote is never overwritten, what nobody touched follows.

In these tests a lesson is two cells; that real ones open in JupyterLab and are saved there is tried
in test_working_copy.py.
"""

import json
import os
import re
import shutil
import subprocess
from copy import deepcopy as copy_of
from pathlib import Path

import nbformat
import pytest
from jupyterlab_server.settings_utils import _get_overrides
from nbformat.sign import NotebookNotary
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from echo.lab import saved
from tests.paths import LESSONS, ROOT
from tools import jupyter, learning


@pytest.fixture(autouse=True)
def key(tmp_path, monkeypatch):
    """Signatures go to a folder of this test."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def lessons(tmp_path):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for name in "03_select", "04_poll":
        store(folder / f"{name}.ipynb", "answer = ...")
    return folder


@pytest.fixture
def copy(tmp_path, lessons):
    """The working copy after the first `make lab`."""
    assert update(tmp_path / "learning", lessons) == []
    return tmp_path / "learning"


def store(path, code, text="Guess.", printed=""):
    cells = [new_markdown_cell(text, id="text"), new_code_cell(code, id="guess")]
    if printed:
        cells[1].outputs = [nbformat.v4.new_output("stream", name="stdout", text=printed)]
    nbformat.write(new_notebook(cells=cells), path)


def update(folder, lessons):
    return list(learning.WorkingCopy(folder, lessons).update())


def files(folder):
    return sorted(path.name for path in folder.glob("*.ipynb"))


def code(path):
    return nbformat.read(path, as_version=4).cells[1].source


def write(path, text):
    """Somebody writes into the second cell and saves, as JupyterLab does: with more metadata."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].source = text
    notebook.metadata["language_info"] = {"name": "python", "version": "3.12.1"}
    nbformat.write(notebook, path)


class TestUpdate:
    def test_what_a_guess_is_about_is_not_shown_yet(self, tmp_path, lessons):
        """What other cells show is."""
        for name, text in ("03_select", "guess = ...\nprint(4)"), ("04_poll", "print(4)"):
            store(lessons / f"{name}.ipynb", text, printed="4\n")
        update(tmp_path / "learning", lessons)
        shown = {
            path.stem: len(nbformat.read(path, as_version=4).cells[1].outputs)
            for path in (tmp_path / "learning").glob("*.ipynb")
        }
        assert shown == {"03_select": 0, "04_poll": 1}

    def test_text_cells_are_not_editable_and_nothing_else_differs(self, lessons, copy):
        was, now = (
            json.loads((folder / "03_select.ipynb").read_text()) for folder in (lessons, copy)
        )
        assert now["cells"][0]["metadata"] == {"editable": False}
        assert now["cells"][1]["metadata"] == {}
        now["cells"][0]["metadata"] = {}
        assert now == was

    def test_copies_are_trusted(self, copy):
        """As `jupyter trust --help` says: their outputs are shown as after a run."""
        notary = NotebookNotary()
        assert notary.check_signature(nbformat.read(copy / "03_select.ipynb", as_version=4))
        write(copy / "03_select.ipynb", "another hand")
        assert not notary.check_signature(nbformat.read(copy / "03_select.ipynb", as_version=4))
        notary.store.close()

    def test_an_answer_stays(self, lessons, copy):
        write(copy / "03_select.ipynb", "answer = 7")
        before = (copy / "03_select.ipynb").read_bytes()
        assert update(copy, lessons) == []
        assert (copy / "03_select.ipynb").read_bytes() == before

    def test_what_nobody_wrote_in_follows_its_lesson(self, lessons, copy):
        """To open it and to run it is not to write."""
        write(copy / "03_select.ipynb", "answer = ...")
        store(lessons / "03_select.ipynb", "answer = None")
        assert update(copy, lessons) == []
        assert code(copy / "03_select.ipynb") == "answer = None"
        assert files(copy) == ["03_select.ipynb", "04_poll.ipynb"]

    def test_new_outputs_alone_come_where_nobody_wrote(self, lessons, copy):
        write(copy / "04_poll.ipynb", "answer = 7")
        for name in "03_select", "04_poll":
            store(lessons / f"{name}.ipynb", "answer = ...", printed="7")
        assert update(copy, lessons) == []
        assert "outputs" in (copy / "03_select.ipynb").read_text()
        assert nbformat.read(copy / "03_select.ipynb", as_version=4).cells[1].outputs
        assert code(copy / "04_poll.ipynb") == "answer = 7"
        assert len(files(copy)) == 2

    def test_a_changed_lesson_is_offered_once_beside_the_answers(self, lessons, copy):
        write(copy / "03_select.ipynb", "answer = 7")
        store(lessons / "03_select.ipynb", "answer = None")
        (said,) = update(copy, lessons)
        assert "03_select has changed since you began it" in said
        assert "03_select.new.ipynb" in said
        assert code(copy / "03_select.ipynb") == "answer = 7"
        assert code(copy / "03_select.new.ipynb") == "answer = None"
        assert update(copy, lessons) == []
        (copy / "03_select.new.ipynb").unlink()
        assert update(copy, lessons) == []
        assert not (copy / "03_select.new.ipynb").exists()

    def test_an_offer_that_nobody_took_is_replaced_and_one_that_was_taken_stays(
        self, lessons, copy
    ):
        write(copy / "03_select.ipynb", "answer = 7")
        for text in "answer = None", "answer = 0":
            store(lessons / "03_select.ipynb", text)
            update(copy, lessons)
        assert code(copy / "03_select.new.ipynb") == "answer = 0"
        write(copy / "03_select.new.ipynb", "answer = 8")
        store(lessons / "03_select.ipynb", "answer = ...  # now with a hint")
        (said,) = update(copy, lessons)
        assert "03_select.new-2.ipynb" in said
        assert [code(copy / f"03_select{more}.ipynb") for more in ("", ".new", ".new-2")] == [
            "answer = 7",
            "answer = 8",
            "answer = ...  # now with a hint",
        ]

    @pytest.mark.parametrize("state", [None, "no JSON", "[]", '{"03_select.ipynb": 1}'])
    def test_nothing_is_overwritten_where_it_is_not_known_who_wrote(self, lessons, copy, state):
        (copy / learning.BEGUN).unlink()
        if state:
            (copy / learning.BEGUN).write_text(state)
        write(copy / "03_select.ipynb", "answer = 7")
        (copy / "04_poll.ipynb").write_text("not even a notebook")
        assert len(update(copy, lessons)) == 2
        assert code(copy / "03_select.ipynb") == "answer = 7"
        assert (copy / "04_poll.ipynb").read_text() == "not even a notebook"
        assert update(copy, lessons) == []


class TestFresh:
    def test_begins_again_and_keeps_each_old_file(self, lessons, copy):
        for answer in "answer = 7", "answer = 8":
            write(copy / "03_select.ipynb", answer)
            said = learning.WorkingCopy(copy, lessons).fresh("03")
            assert "what you wrote is kept in" in said
        assert code(copy / "03_select.ipynb") == "answer = ..."
        assert code(copy / "03_select.old.ipynb") == "answer = 7"
        assert code(copy / "03_select.old-2.ipynb") == "answer = 8"
        assert said.endswith("03_select.old-2.ipynb.")

    def test_what_was_offered_is_what_one_begins_with(self, lessons, copy):
        write(copy / "03_select.ipynb", "answer = 7")
        store(lessons / "03_select.ipynb", "answer = None")
        update(copy, lessons)
        learning.WorkingCopy(copy, lessons).fresh("03_select")
        assert files(copy) == ["03_select.ipynb", "03_select.old.ipynb", "04_poll.ipynb"]
        assert code(copy / "03_select.ipynb") == "answer = None"
        assert update(copy, lessons) == []

    def test_nothing_written_nothing_kept(self, lessons, copy):
        said = learning.WorkingCopy(copy, lessons).fresh("04")
        assert said.endswith("04_poll.ipynb is as new.")
        assert len(files(copy)) == 2

    @pytest.mark.parametrize("asked", ["", "3", "0", "99"])
    def test_no_such_lesson_is_one_sentence(self, tmp_path, capsys, asked):
        assert learning.main(["--into", str(tmp_path / "here"), "--fresh", asked]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert re.fullmatch(r"Which lesson\? Say LESSON=03, .* 00, 01, 02, .*\.\n", said.err)


def test_all_lessons_are_there_with_links_and_folder(tmp_path, capsys):
    """A link to another lesson leads to its copy, and one to docs/ into the clone."""
    assert learning.main(["--into", str(tmp_path / "here")]) == 0
    assert capsys.readouterr().out == ""
    assert files(tmp_path / "here") == [path.name for path in LESSONS]
    for path in (tmp_path / "here").glob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", cell.source):
                beside = tmp_path / "here" if link.endswith(".ipynb") else ROOT / "learning"
                assert Path(os.path.normpath(beside / link)).is_file(), f"{path.name}: {link}"


def test_folder_that_cannot_be_written_is_one_sentence(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert learning.main(["--into", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err.endswith("file cannot be written: File exists.\n")


def test_git_and_the_checks_pass_it_by():
    """It is nobody's but the learner's: not added, not linted, not in an image or on the site."""
    git = shutil.which("git") and (ROOT / ".git").exists()
    if not git:
        pytest.skip("no git, or no clone")
    path = "learning/03_select.ipynb"
    assert subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT).returncode == 0
    assert "learning" in (ROOT / ".dockerignore").read_text().splitlines()
    assert '"learning"' in (ROOT / "docs/conf.py").read_text()


def test_jupyterlab_asks_nothing_about_news(tmp_path):
    """Asked of the function with which JupyterLab reads such files."""
    jupyter.set_up(tmp_path)
    overrides, error = _get_overrides(str(tmp_path / "share/jupyter/lab/settings"))
    assert error == ""
    assert overrides["@jupyterlab/apputils-extension:notification"] == {"fetchNews": "false"}


def test_where_python_is_somebody_elses_nothing_is_set_up(tmp_path):
    (tmp_path / "etc").touch()
    (tmp_path / "share").touch()
    jupyter.set_up(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"etc", "share"}


class TestSaved:
    """What the server does to a lesson before JupyterLab's version of it is written."""

    @pytest.fixture
    def model(self):
        notebook = nbformat.read(LESSONS[0], as_version=4)
        notebook.metadata.language_info.version = "3.12.1"
        notebook.cells[1].metadata.update(scrolled=True, execution={"shell.execute_reply": "now"})
        return {"type": "notebook", "content": notebook}

    def test_a_lesson_is_left_as_it_is_stored(self, model):
        saved.leave_as_stored(model=model, path="notebooks/x.ipynb", contents_manager=None)
        assert model["content"] == nbformat.read(LESSONS[0], as_version=4)

    def test_what_was_written_stays_written(self, model):
        model["content"].cells[1].source = "answer = 7"
        saved.leave_as_stored(model=model)
        assert model["content"].cells[1].source == "answer = 7"

    @pytest.mark.parametrize("which", ["no lesson", "a working copy", "no notebook", "only a name"])
    def test_anything_else_is_saved_as_it_is(self, model, which):
        notebook = model["content"]
        match which:
            case "no lesson":
                del notebook.metadata["lesson"]
            case "a working copy":
                notebook.cells[0].metadata.editable = False
            case "no notebook":
                model["type"] = "file"
            case _:
                model["content"] = None
        before = copy_of(notebook)
        saved.leave_as_stored(model=model)
        assert notebook == before
