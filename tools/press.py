"""Press the stepper's buttons in a real JupyterLab in a real browser: by mouse, and by keyboard.

    python tools/press.py --out pictures

Three clicks on Step show three turns.  Then clients connect, speak and reset by Tab, Enter and
Space alone.  Both themes are photographed: OUT/stepper-<theme>.png.  Exit code: 0 when all is
well, 1 when something else was shown, 2 when the browser or playwright is missing.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import browser
import nbformat
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Error as BrowserError
from playwright.sync_api import Page

CELLS = [
    """from echo import select_server
from echo.lab import Stepper, leftovers, start""",
    """stepper = Stepper()
server = start(select_server.serve, stepper)
client = server.connect()""",
    "stepper.buttons()",
]
REPORT = "pre[role=status]"
FOCUS = """(one => one?.tagName === 'BUTTON' ? one.innerText : one?.tagName)
    (document.activeElement)"""


class Wrong(Exception):
    """The page shows something else; the message says what was expected, and what came."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Press the buttons, take the pictures; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("screens"), help="folder for the pictures")
    options = parser.parse_args(arguments)
    chromium = next(filter(None, map(shutil.which, browser.BROWSERS)), None)
    if chromium is None:
        print("no chromium here: apt-get install chromium", file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="stepper-") as name:
        cells = [new_code_cell(text) for text in CELLS]
        nbformat.write(new_notebook(cells=cells, metadata=METADATA), Path(name) / "stepper.ipynb")
        try:
            with (
                browser.running_lab(Path(name)) as lab,
                browser.running_browser(chromium) as chrome,
                browser.opened(chrome, lab, "stepper.ipynb") as page,
            ):
                browser.run_all(page)
                if errors := browser.unannounced_errors(page):
                    raise Wrong("\n".join(errors))
                by_mouse(page)
                by_keyboard(page, options.out)
        except (Wrong, browser.LessonError, BrowserError) as error:
            print(error, file=sys.stderr)
            return 1
    print("three clicks, three turns; and all of it by keyboard alone")
    return 0


METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def by_mouse(page: Page) -> None:
    """Accept, answer, and hang up: each turn is one click."""
    expect(page, "before turn 1", "1 client to accept")
    click(page, "Step", "turn 1 of the select server", "accept4(listener) = client 1")
    click(page, "Send", "client 1 has sent 5 bytes", "5 bytes to read")
    click(page, "Step", "turn 2 of the select server", "sendto(client 1) = 5")
    click(page, "Close", "client 1 has closed its socket")
    click(page, "Step", "turn 3 of the select server", "close(client 1) = 0")
    click(page, "Step", "no turn: nothing is ready")


def by_keyboard(page: Page, out: Path) -> None:
    """From the cell on, with the mouse put away; and pictures of two clients."""
    page.evaluate(f"() => {browser.PANEL}.content.activate()")  # as at a start: the cell has focus
    press(page, "Connect", "Enter", "client 2 has connected")
    press(page, "Step", "Space", "turn 4 of the select server")
    press(page, "Connect", "Space", "client 3 has connected")
    press(page, "Step", "Enter", "turn 5 of the select server")
    press(page, "client 2", "Space")
    press(page, "Send", "Enter", "client 2 has sent 5 bytes")
    press(page, "Step", "Enter", "turn 6 of the select server", "sendto(client 2) = 5")
    for theme in browser.THEMES:
        browser.set_theme(page, theme)
        page.screenshot(path=out / f"stepper-{theme}.png")
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
    raise Wrong(f"Tab does not come to {name!r}, it stands at {page.evaluate(FOCUS)!r}")


def expect(page: Page, *expected: str) -> None:
    """Wait until the report contains all of this."""
    shown = ""
    for _ in range(200):
        shown = page.locator(REPORT).inner_text()
        if all(text in shown for text in expected):
            return
        page.wait_for_timeout(25)
    raise Wrong(f"expected {' and '.join(expected)!r}, the page shows\n{shown}")


if __name__ == "__main__":
    sys.exit(main())
