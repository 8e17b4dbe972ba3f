"""Open lessons in a real JupyterLab in a real browser: run them as a learner would, and look.

    python tools/browser.py notebooks/03_select.ipynb --out /tmp/look
    python tools/browser.py notebooks/*.ipynb --twice 'start\\(' --width 800

Each lesson is run three times: Run All, Run All again in the same kernel, Restart and Run All;
if asked for, a fourth time with some cells, or each, run twice in a row.  Then every screen of
it is photographed, in the light theme and in the dark: OUT/<lesson>/<theme>-<number>.png.

What runs is a copy: JupyterLab saves what it opens.  All of its settings are its own, in a
folder that is removed at the end.  Exit code: 0 when all is well; 1 when a cell raised an error
that no tag announces, or did not end; 2 when the browser or playwright is missing.

Needs chromium of the system and the Python package playwright, which downloads no browser here.
"""

import argparse
import contextlib
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

try:
    from playwright.sync_api import Browser, Page, sync_playwright
    from playwright.sync_api import Error as BrowserError
    from playwright.sync_api import TimeoutError as BrowserTimeoutError
except ImportError:
    print("tools/browser.py needs playwright: pip install playwright", file=sys.stderr)
    sys.exit(2)

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
START_SECONDS = 60  # for JupyterLab to answer, and for a notebook to be open
CELL_SECONDS = 60
OVERLAP = 40  # pixels of a screen that are seen again on the next one


class LessonError(Exception):
    """A lesson that did not run as it should; the message says where."""


class Lab(NamedTuple):
    """A running JupyterLab: its address with the token, and the folder of its settings."""

    url: str
    token: str
    settings: Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and photograph the lessons named on the command line; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="notebook")
    parser.add_argument("--out", type=Path, default=Path("screens"), help="folder for the pictures")
    parser.add_argument("--width", type=int, default=1280, help="of the window, in pixels")
    parser.add_argument("--height", type=int, default=900, help="of the window, in pixels")
    twice = parser.add_mutually_exclusive_group()
    twice.add_argument(
        "--twice", metavar="REGEX", help="run cells with such text twice in a row, as 'start\\('"
    )
    twice.add_argument(
        "--each-cell-twice",
        dest="twice",
        action="store_const",
        const="",
        help="the same with every cell",
    )
    options = parser.parse_args(arguments)

    chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
    if chromium is None:
        print("no chromium here: apt-get install chromium", file=sys.stderr)
        return 2
    missing = [str(path) for path in options.notebooks if not path.is_file()]
    if missing:
        print(f"no such file: {' '.join(missing)}", file=sys.stderr)
        return 2

    failed = False
    with contextlib.ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lessons-")))
        for path in options.notebooks:
            shutil.copy(path, root)
        lab = stack.enter_context(running_lab(root))
        browser = stack.enter_context(running_browser(chromium))
        for path in options.notebooks:
            began = time.monotonic()
            try:
                with opened(browser, lab, path.name, options.width, options.height) as page:
                    try:
                        run_as_a_learner(page, options.twice)
                    finally:
                        pictures = photograph(page, options.out / path.stem)
            except (LessonError, BrowserError) as error:
                failed = True
                print(f"{path}: {error}", file=sys.stderr)
            else:
                seconds = time.monotonic() - began
                print(f"{path}: no unannounced error, {pictures} pictures, {seconds:.0f} s")
    return int(failed)


def run_as_a_learner(page: Page, twice: str | None = None) -> None:
    """Run All, again, Restart and Run All; then cells that match `twice` twice in a row.

    Raises LessonError where a cell raises that no tag announces, or does not end.
    """
    ways = [run_all, run_all, restart_and_run_all]
    if twice is not None:
        ways.append(functools.partial(run_cells_twice, regex=twice))
    for number, way in enumerate(ways, 1):
        way(page)
        if errors := unannounced_errors(page):
            raise LessonError("\n  ".join([f"run {number} of {len(ways)}:", *errors]))


@contextlib.contextmanager
def running_lab(root: Path) -> Iterator[Lab]:
    """JupyterLab on a free port, showing the files in `root`; ended with all its kernels."""
    with tempfile.TemporaryDirectory(prefix="jupyter-") as name:
        own = Path(name)
        settings = own / "settings"
        configure(settings, "@jupyterlab/notebook-extension/tracker", {"windowingMode": "none"})
        configure(settings, "@jupyterlab/docmanager-extension/plugin", {"autosave": False})
        configure(
            settings,
            "@jupyterlab/apputils-extension/notification",
            {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
        )
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--port=0"]
        command += ["--ip=127.0.0.1", f"--ServerApp.root_dir={root}"]
        command += ["--LabApp.expose_app_in_browser=True"]
        command += ["--allow-root"] if os.geteuid() == 0 else []
        leave = {"JUPYTER_PATH", "JUPYTER_CONFIG_PATH", "JUPYTER_TOKEN", "MPLBACKEND"}
        environment = {key: value for key, value in os.environ.items() if key not in leave} | {
            "IPYTHONDIR": str(own / "ipython"),
            "JUPYTER_CONFIG_DIR": str(own / "config"),
            "JUPYTER_DATA_DIR": str(own / "data"),  # no kernel "python3" of the user's
            "JUPYTER_RUNTIME_DIR": str(own / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(settings),
            "JUPYTERLAB_WORKSPACES_DIR": str(own / "workspaces"),
        }
        with (own / "log").open("w+") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )
            try:
                yield answering(process, own)
            except LessonError:
                log.seek(0)
                sys.stderr.writelines(log.readlines()[-20:])
                raise
            finally:
                process.terminate()  # it ends its kernels first
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def answering(process: subprocess.Popen, own: Path) -> Lab:
    """Wait for the file in which the server says where it listens."""
    said = own / "runtime" / f"jpserver-{process.pid}.json"
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError, ValueError):  # not there yet, or not whole
            about = json.loads(said.read_text())
            return Lab(about["url"], about["token"], own / "settings")
        time.sleep(0.1)
    raise LessonError("JupyterLab did not start")


def configure(settings: Path, plugin: str, values: dict[str, Any]) -> None:
    """Write what the settings editor of JupyterLab would write."""
    path = settings / f"{plugin}.jupyterlab-settings"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))


@contextlib.contextmanager
def running_browser(chromium: str) -> Iterator[Browser]:
    """Headless Chromium; as root it runs only without its sandbox."""
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def opened(
    browser: Browser, lab: Lab, name: str, width: int = 1280, height: int = 900
) -> Iterator[Page]:
    """A lesson in a fresh workspace, its kernel ready; at the end the kernel is shut down."""
    page = browser.new_page(viewport={"width": width, "height": height})
    page.set_default_timeout(START_SECONDS * 1000)
    try:
        page.goto(f"{lab.url}lab/workspaces/look/tree/{name}?token={lab.token}&reset")
        try:
            page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
            page.wait_for_function(f"() => {READY} === 'idle'")
        except BrowserTimeoutError:
            raise LessonError(
                f"after {START_SECONDS} s the notebook is not open, or has no kernel"
            ) from None
        yield page
        page.evaluate(f"() => {PANEL}.sessionContext.shutdown()")
    finally:
        page.close()


PANEL = "window.jupyterapp.shell.currentWidget"
READY = "window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel?.status"

# The cells as the page holds them: number, id, count, announced, errors; and the kernel's state.
STATE = f"""() => ({{
  status: {PANEL}.sessionContext.session?.kernel?.status,
  cells: [...{PANEL}.content.model.cells].map((cell, index) => [cell.toJSON(), index + 1])
    .filter(([cell]) => cell.cell_type === 'code')
    .map(([cell, number]) => ({{
      number, id: cell.id, source: cell.source, count: cell.execution_count,
      announced: (cell.metadata.tags || []).includes('raises-exception'),
      errors: cell.outputs.filter(o => o.output_type === 'error')
        .map(o => o.ename + ': ' + o.evalue)}}))}})"""


def run_all(page: Page) -> None:
    """Run > Run All Cells, in the kernel as it is."""
    command(page, "notebook:clear-all-cell-outputs")
    command(page, "notebook:run-all-cells", wait=False)
    wait_until_run(page)


def restart_and_run_all(page: Page) -> None:
    """Kernel > Restart Kernel and Run All Cells, with its question answered."""
    command(page, "notebook:clear-all-cell-outputs")
    command(page, "notebook:restart-run-all", wait=False)
    page.locator(".jp-Dialog .jp-mod-accept").click()
    page.locator(".jp-Dialog").wait_for(state="detached")
    wait_until_run(page)
    counts = [cell["count"] for cell in page.evaluate(STATE)["cells"]]
    if counts != list(range(1, len(counts) + 1)):
        raise LessonError(f"the kernel was not restarted: the cells have the numbers {counts}")


def run_cells_twice(page: Page, regex: str = "") -> None:
    """Run one cell after the other, those whose text matches twice at once: one tries things."""
    command(page, "notebook:clear-all-cell-outputs")
    for cell in page.evaluate(STATE)["cells"]:
        for _ in range(2 if re.search(regex, cell["source"]) else 1):
            page.evaluate(
                f"number => {{ {PANEL}.content.activeCellIndex = number - 1; }}", cell["number"]
            )
            before = {one["id"]: one["count"] for one in page.evaluate(STATE)["cells"]}
            command(page, "notebook:run-cell", wait=False)
            wait_until_run(page, cell["id"], before[cell["id"]])
            if unannounced_errors(page):
                return


def wait_until_run(page: Page, only: str = "", before: int | None = None) -> None:
    """Wait until the kernel is idle and every cell has a count; or one cell another than before.

    The promises of JupyterLab's commands cannot be waited for: that of Run All resolves early
    where a cell raises.  An unannounced error ends the run, and so the waiting.
    """
    last, end = None, time.monotonic() + CELL_SECONDS
    while time.monotonic() < end:
        state = page.evaluate(STATE)
        cells = [cell for cell in state["cells"] if only in ("", cell["id"])]
        waiting = [name_of(cell) for cell in cells if cell["count"] in (None, before)]
        if state["status"] == "idle" and (not waiting or unannounced(state)):
            return
        if state["cells"] != last:  # it goes on
            last, end = state["cells"], time.monotonic() + CELL_SECONDS
        page.wait_for_timeout(50)
    raise LessonError(f"not finished in {CELL_SECONDS} s: {', '.join(waiting) or 'the kernel'}")


def unannounced_errors(page: Page) -> list[str]:
    """Errors on the page that no tag raises-exception announces, each with its cell."""
    return unannounced(page.evaluate(STATE))


def unannounced(state: dict[str, Any]) -> list[str]:
    """The same, of a state that was read before."""
    return [
        f"{name_of(cell)}: {error}"
        for cell in state["cells"]
        if not cell["announced"]
        for error in cell["errors"]
    ]


def name_of(cell: dict[str, Any]) -> str:
    """A cell by its number from 1 on and its id, as tools/execute.py names it."""
    return f"cell {cell['number']} (id {cell['id']})"


def command(page: Page, name: str, wait: bool = True) -> None:
    """A command of JupyterLab, as its menus would give it."""
    run = f"window.jupyterapp.commands.execute('{name}')"
    page.evaluate(f"() => {run}" if wait else f"() => {{ {run}; }}")


def set_theme(page: Page, theme: str) -> None:
    """Settings > Theme; returns when the page wears it."""
    page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})",
        THEMES[theme],
    )
    page.wait_for_function(
        "light => document.body.dataset.jpThemeLight === light", arg=str(theme == "light").lower()
    )
    page.wait_for_timeout(500)  # style sheets and figures follow


def photograph(page: Page, out: Path) -> int:
    """Every screen of the notebook in both themes; the number of pictures."""
    out.mkdir(parents=True, exist_ok=True)
    for theme in THEMES:  # the last time there may have been more
        for old in out.glob(f"{theme}-[0-9]*.png"):
            old.unlink()
    number = 0
    for theme in THEMES:
        set_theme(page, theme)
        for number, _ in enumerate(screens(page), 1):
            page.screenshot(path=out / f"{theme}-{number:02}.png")
    return number * len(THEMES)


def screens(page: Page) -> Iterator[int]:
    """Scroll from the first cell to the last, a screen at a time; the pixels scrolled so far."""
    scroller = page.locator(".jp-NotebookPanel .jp-WindowedPanel-outer")
    last_cell = page.locator(".jp-NotebookPanel .jp-Cell").last
    top = 0
    while True:
        scroller.evaluate("(one, top) => { one.scrollTop = top; }", top)
        page.wait_for_timeout(200)
        yield top
        window, cell = scroller.bounding_box(), last_cell.bounding_box()
        if cell["y"] + cell["height"] <= window["y"] + window["height"]:
            return
        top += int(window["height"]) - OVERLAP


if __name__ == "__main__":
    sys.exit(main())
