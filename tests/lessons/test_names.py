"""An exercise judges what its own stub has made: no other cell of the lesson has that name.

Else a learner who skips a stub is told that what an earlier cell has left is right.
"""

import ast

import nbformat
import pytest

from tests.paths import LESSONS

GOES_ON = {"10_your_server"}  # each exercise finishes a function that earlier cells have begun


COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


def made(source):
    """The names that a cell gives to something."""
    return set(stored(ast.parse(source)))


def stored(node):
    """Names that stay: those of a comprehension or of a function's inside do not."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif not isinstance(node, COMPREHENSIONS):
        for child in ast.iter_child_nodes(node):
            yield from stored(child)


def used(source):
    return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}


def shared(notebook):
    """(exercise, other cell, name): what the check of an exercise may find made elsewhere."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for place, stub in enumerate(cells):
        if "exercise" in stub.metadata:
            judged = made(stub.source) & used(cells[place + 1].source)
            for other in [*cells[:place], *cells[place + 1 :]]:
                for name in judged & made(other.source):
                    yield stub.id, other.id, name


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_exercise_meets_nobody_elses_name(path):
    """But for the stages, which go on with it."""
    found = list(shared(nbformat.read(path, as_version=4)))
    assert found == [] or path.stem in GOES_ON


def test_shared_name_would_be_seen():
    """In a lesson of two cells and an exercise."""
    code = nbformat.v4.new_code_cell
    stub = code("def serve(listener): ...", metadata={"exercise": {}}, id="stub")
    cells = [code("serve = 1", id="before"), stub, code("check(serve)", id="check")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    assert list(shared(notebook)) == [("stub", "before", "serve")]
