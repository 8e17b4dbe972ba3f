"""What a learner does in a notebook: press the stepper, fill in a guess and an exercise.

By mouse and by keyboard, in an open JupyterLab.  What is shown otherwise than expected raises
LessonError, which says what was expected and what came.
"""

import re
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Page

from tools.browser.lab import PANEL, LessonError

STEPPER = "stepper.ipynb"
CELLS = [
    """from echo import select_server
from echo.lab import Stepper, leftovers, start""",
    """stepper = Stepper()
server = start(select_server.serve, stepper)
client = server.connect()""",
    "stepper.buttons()",
]
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
CELL = ".jp-NotebookPanel .jp-Cell"
REPORT = "pre[role=status]"
FOCUS = """(one => one?.tagName === 'BUTTON' ? one.innerText : one?.tagName)
    (document.activeElement)"""


# In answer to the guess 7, and to the solution of an exercise; a sign stands before it.
COMPARED = re.compile(r"^\W .*, but you said 7\.|^\W 7, as you said\.", re.MULTILINE)
SOLVED = re.compile(r"^\W Right|^\W (\d+) of \1 requirements met by ", re.MULTILINE)


def write_stepper(folder: Path) -> None:
    """A notebook with the stepper's buttons, and nothing else."""
    cells = [new_code_cell(text) for text in CELLS]
    nbformat.write(new_notebook(cells=cells, metadata=METADATA), folder / STEPPER)


def by_mouse(page: Page) -> None:
    """Accept, answer, and hang up: each turn is one click."""
    expect(page, "before turn 1", "1 client to accept")
    click(page, "Step", "turn 1 of the select server", "accept4(listener) = client 1")
    click(page, "Send", "client 1 has sent 5 bytes", "5 bytes to read")
    click(page, "Step", "turn 2 of the select server", "sendto(client 1) = 5")
    click(page, "Close", "client 1 has closed its socket")
    click(page, "Step", "turn 3 of the select server", "close(client 1) = 0")
    click(page, "Step", "no turn: nothing is ready")


def by_keyboard(page: Page) -> None:
    """From the cell on, with the mouse put away."""
    page.evaluate(f"() => {PANEL}.content.activate()")  # as at a start: the cell has focus
    press(page, "Connect", "Enter", "client 2 has connected")
    press(page, "Step", "Space", "turn 4 of the select server")
    press(page, "Connect", "Space", "client 3 has connected")
    press(page, "Step", "Enter", "turn 5 of the select server")
    press(page, "client 2", "Space")
    press(page, "Send", "Enter", "client 2 has sent 5 bytes")
    press(page, "Step", "Enter", "turn 6 of the select server", "sendto(client 2) = 5")
    press(page, "Reset", "Space", "client 2 has reset its connection")
    press(page, "Step", "Space", "turn 7 of the select server", "it has reset the connection")
    press(page, "Send", "Space", "client 3 has sent 5 bytes")
    press(page, "Step", "Space", "turn 8 of the select server", "sendto(client 3) = 5")


def click(page: Page, name: str, *expected: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    expect(page, *expected)


def press(page: Page, name: str, key: str, *expected: str) -> None:
    """Tab, or Shift-Tab, until the button has the focus, then the key."""
    tab_to(page, name)
    page.keyboard.press(key)
    expect(page, *expected)


def tab_to(page: Page, name: str) -> None:
    for key in ["Shift+Tab"] * 10 + ["Tab"] * 80:
        if page.evaluate(FOCUS) == name:
            return
        page.keyboard.press(key)
    raise LessonError(f"Tab does not come to {name!r}, it stands at {page.evaluate(FOCUS)!r}")


def expect(page: Page, *expected: str) -> None:
    """Wait until the report contains all of this."""
    shown = ""
    for _ in range(800):  # 20 s, on a busy machine
        shown = page.locator(REPORT).inner_text()
        if all(text in shown for text in expected):
            return
        page.wait_for_timeout(25)
    raise LessonError(f"expected {' and '.join(expected)!r}, the page shows\n{shown}")


# -- to fill in a lesson -----------------------------------------------------------------------


def prediction(path: Path) -> int | None:
    """Where the first guess of a lesson is, if there is one: the index of its cell."""
    for index, cell in enumerate(nbformat.read(path, as_version=4).cells):
        if cell.cell_type == "code" and cell.source.startswith("guess = ...\n"):
            return index
    return None


def exercise(path: Path) -> tuple[int, str] | None:
    """Where the first exercise of a lesson has its stub, if there is one, and its solution.

    Stub, text, check and hints stand below one another; a test holds that.
    """
    cells = nbformat.read(path, as_version=4).cells
    for index, cell in enumerate(cells):
        if "exercise" in cell.metadata:
            solution = cells[index + 3].source.partition("<summary>Solution</summary>")[2]
            return index, solution.partition("```python\n")[2].partition("\n```")[0]
    return None


def fill_in(page: Page, path: Path) -> None:
    """Put 7 for the dots of the first guess, and the solution for the stub."""
    if (index := prediction(path)) is not None:
        page.locator(CELL).nth(index).locator(".cm-line").first.click()
        page.keyboard.press("End")
        for _ in "...":
            page.keyboard.press("Backspace")
        page.keyboard.type("7")
    if (found := exercise(path)) is not None:
        index, solution = found
        page.locator(CELL).nth(index).locator(".cm-line").first.click()
        page.keyboard.press("Control+A")
        page.keyboard.insert_text(solution)  # as from the clipboard: nothing is indented for us


def expect_answers(page: Page, path: Path) -> None:
    """After another run: the guess is compared, and the check of the exercise is content."""
    if (index := prediction(path)) is not None:
        expect_output(page, index, COMPARED, "the guess 7 is not compared")
    if (found := exercise(path)) is not None:
        expect_output(page, found[0] + 2, SOLVED, "the solution does not satisfy the check")


def expect_output(page: Page, index: int, pattern: re.Pattern[str], otherwise: str) -> None:
    shown = page.locator(CELL).nth(index).locator(".jp-OutputArea-output").all_inner_texts()
    if not any(pattern.search(text) for text in shown):
        raise LessonError(f"cell {index + 1}: {otherwise}:\n" + "\n".join(shown))
