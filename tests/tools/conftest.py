"""A small lesson, executed and stored once; and copies of it that are tampered with."""

import nbformat
import pytest

from tests.tools.one_lesson import lesson, tool


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
