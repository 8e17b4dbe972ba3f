"""A learner runs a cell twice in a row, and it shows the same.

Where it cannot, because what it used up has to be made again, it prints one sentence that
names the cell to run first: "Run the cell ... first."
"""

import copy
import re

import pytest

from tests.paths import LESSONS
from tools import execute

ANNOUNCED = re.compile(r"Run the cell [^.\n]+\bfirst\.\n?")


def shown(cell):
    """What a run of the cell leaves on the page, without the numbers of that run."""
    execute.takes_recorded_out(cell)
    for output in cell.outputs:
        execute.make_stable(output, cell.execution_count)
    left_out = {"execution_count", "traceback"}  # a traceback begins with the number of the cell
    return [
        {key: value for key, value in output.items() if key not in left_out}
        for output in cell.outputs
        if output.get("text") != ""
    ]


def words(outputs):
    """What is printed, shown or raised, as text."""
    return "\n".join(
        output.get("text")
        or output.get("data", {}).get("text/plain")
        or f"{output.get('ename')}: {output.get('evalue')}"
        for output in outputs
    )


@pytest.mark.long
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_each_cell_twice(path):
    _, notebook = execute.read(path)
    tried = []  # (what is stored, the cell, the same cell once more)
    for cell in [cell for cell in notebook.cells if cell.cell_type == "code"]:
        again = copy.deepcopy(cell)
        notebook.cells.insert(notebook.cells.index(cell) + 1, again)
        if "nbval-ignore-output" not in cell.metadata.get("tags", []):
            tried.append((shown(cell), cell, again))
    failed = ""
    try:
        execute.run(path, notebook)
    except execute.LessonError as error:
        failed = f"with each cell run twice, {error}"
    for stored, cell, again in tried if not failed else ():
        once, twice = shown(cell), shown(again)
        if once != stored:
            failed = (
                f"{cell.id} shows something else because the cells before it were run twice:\n"
                f"{words(once)}\n--- stored ---\n{words(stored)}"
            )
        elif twice != once and not (len(twice) == 1 and ANNOUNCED.fullmatch(words(twice))):
            failed = (
                f"{cell.id} shows something else when it is run again:\n"
                f"{words(once)}\n--- again ---\n{words(twice)}"
            )
        if failed:
            break
    if failed:
        pytest.fail(failed, pytrace=False)
