"""Cells that depend on which descriptors are free, over and over, where IPython opens files, too.

IPython stores each cell in a file while the cell runs already.  What it opens takes the lowest
free number, and what it closes makes room.  nbval asks for no history, so it does not see this.
"""

import copy
import re

import pytest

from tests.lessons.test_cell_twice import words
from tests.paths import LESSONS
from tools import execute

DEPENDS = re.compile(r"^\s*(?:with )?(?:settle_descriptors|no_descriptors(?:_left)?)\(\)", re.M)
TIMES = 50  # without settle_descriptors(), 3 to 6 runs of these cells in a hundred went wrong
CELLS = {
    path: names
    for path in LESSONS
    if (
        names := [
            cell.id
            for cell in execute.read(path)[1].cells
            if cell.cell_type == "code" and DEPENDS.search(cell.source)
        ]
    )
}


def test_there_are_some():
    found = {path.stem[:2]: len(names) for path, names in CELLS.items()}
    assert found == {"03": 2, "06": 2, "07": 4}


@pytest.mark.long
@pytest.mark.parametrize("path", CELLS, ids=lambda path: path.stem)
def test_they_show_the_same_every_time(path):
    _, notebook = execute.read(path)
    last = max(place for place, cell in enumerate(notebook.cells) if cell.id in CELLS[path])
    runs = {}  # what each cell is called -> its outputs: what is stored, and every run
    cells = []
    for cell in notebook.cells[: last + 1]:
        again = [copy.deepcopy(cell) for _ in range(TIMES if cell.id in CELLS[path] else 1)]
        cells += again
        if len(again) > 1:
            runs[cell.id] = [cell, *again]
    notebook.cells = cells
    execute.run(path, notebook)
    seen = {name: {words(cell.outputs) for cell in same} for name, same in runs.items()}
    assert seen == {name: {words(same[0].outputs)} for name, same in runs.items()}
