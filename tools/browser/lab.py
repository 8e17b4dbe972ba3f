"""Drive JupyterLab in Chromium: start it, open a lesson, run it, change the theme.

Commands are given to JupyterLab as its menus give them, and what has run is read from its model.
All of its settings are its own, in a folder that is removed at the end.
"""

import contextlib
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Browser, Page, sync_playwright
from playwright.sync_api import TimeoutError as BrowserTimeoutError

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
START_SECONDS = 120  # for JupyterLab to answer, and for a notebook to be open
CELL_SECONDS = 120  # in which no cell has ended: on a machine that does much else, too
NARROW = 640  # pixels; the list of files takes 280 of them

WINDOWS = itertools.count(1)
# The theme is a setting, kept by the server: a window writes what it is to be, and then wears what
# it reads there, which another window may have written.
THEME = threading.Lock()


class LessonError(Exception):
    """A lesson that did not run as it should; the message says where."""


class Lab(NamedTuple):
    """A running JupyterLab: its address with the token, and the folder of its settings."""

    url: str
    token: str
    settings: Path


def chromium() -> str | None:
    """Where the system's Chromium is, or another browser that is one."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@contextlib.contextmanager
def running_lab(root: Path) -> Iterator[Lab]:
    """JupyterLab on a free port, showing the files in `root`; ended with all its kernels."""
    with tempfile.TemporaryDirectory(prefix="jupyter-") as name:
        own = Path(name)
        settings = own / "settings"
        configure(settings, "@jupyterlab/docmanager-extension/plugin", {"autosave": False})
        configure(
            settings,
            "@jupyterlab/apputils-extension/notification",
            {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
        )
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--port=0"]
        command += ["--ip=127.0.0.1", f"--ServerApp.root_dir={root}"]
        command += ["--KernelManager.transport=ipc"]  # two at a time never draw the same port
        command += [
            f"--{app}.expose_app_in_browser=True" for app in ("LabApp", "JupyterNotebookApp")
        ]
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


def answering(process: subprocess.Popen[bytes], own: Path) -> Lab:
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
    flags = ["--disable-gpu"]  # a machine without one would only play it, slowly
    flags += ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def opened(
    browser: Browser, lab: Lab, width: int = 1280, height: int = 900, at: str = ""
) -> Iterator[Page]:
    """JupyterLab in a fresh workspace and a window of its own; or what the server has `at`."""
    page = browser.new_page(viewport={"width": width, "height": height})
    page.set_default_timeout(START_SECONDS * 1000)
    try:
        at = at or f"lab/workspaces/look-{next(WINDOWS)}"
        page.goto(f"{lab.url}{at}?token={lab.token}&reset")
        page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget")
        if width < NARROW:  # who has so little room closes the list of files first (Ctrl+B)
            command(page, "application:toggle-left-area", wait=False)
        yield page
    finally:
        page.close()


@contextlib.contextmanager
def lesson(page: Page, name: str) -> Iterator[None]:
    """A lesson in front, its kernel ready; at the end the kernel is shut down, nothing saved.

    Only the first to be opened takes long: JupyterLab itself stays in the window.
    """
    page.evaluate(OPEN, name)
    try:
        page.wait_for_function(f"name => {PATH} === name && {READY} === 'idle'", arg=name)
    except BrowserTimeoutError:
        raise LessonError(
            f"after {START_SECONDS} s {name} is not open, or has no kernel: {page.evaluate(FRONT)}"
        ) from None
    yield
    page.evaluate(f"() => {PANEL}.sessionContext.shutdown()")
    page.evaluate(f"() => {{ {PANEL}.context.model.dirty = false; }}")  # or it would ask
    command(page, "application:close", wait=False)
    page.wait_for_function("() => !document.querySelector('.jp-NotebookPanel')")


PANEL = "window.jupyterapp.shell.currentWidget"
PATH = "window.jupyterapp?.shell?.currentWidget?.context?.path"
READY = "window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel?.status"
FRONT = f"""() => [
    {PATH}, {READY}, window.jupyterapp?.shell?.currentWidget?.sessionContext?.kernelDisplayStatus,
    ...[...document.querySelectorAll('.jp-Dialog-content')].map(one => one.innerText)
  ].join(', ')"""  # what there is instead
OPEN = """path => window.jupyterapp.commands
    .execute('docmanager:open', {path, factory: 'Notebook'}).then(() => {})"""

# The code cells as the page holds them: number, id, count, announced, errors; and the kernel's
# state.  It is asked for often, so no figure is copied: of outputs only the errors are.
STATE = f"""() => ({{
  status: {READY},
  cells: [...{PANEL}.content.model.cells].map((cell, index) => [cell, index + 1])
    .filter(([cell]) => cell.type === 'code')
    .map(([cell, number]) => ({{
      number, id: cell.id, source: cell.sharedModel.getSource(), count: cell.executionCount,
      announced: (cell.getMetadata('tags') || []).includes('raises-exception'),
      errors: Array.from({{length: cell.outputs.length}}, (_, i) => cell.outputs.get(i))
        .filter(o => o.type === 'error').map(o => o.toJSON()).map(o => o.ename + ': ' + o.evalue)
    }}))}})"""


def render_all_cells(page: Page) -> None:
    """From now on all cells of the notebook are on the page, and not those near the window only.

    Which is how JupyterLab begins, and what a reader sees; but axe-core and Tab must see all.
    """
    page.evaluate(
        f"""() => {{ {PANEL}.content.notebookConfig =
          {{...{PANEL}.content.notebookConfig, windowingMode: 'none'}}; }}"""
    )
    page.wait_for_function(
        f"() => {PANEL}.content.widgets.every(cell => cell.node.isConnected && !cell.placeholder)"
    )


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
        page.wait_for_timeout(200)
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
    """A cell by its number from 1 on and its id, as tools.execute names it."""
    return f"cell {cell['number']} (id {cell['id']})"


def command(page: Page, name: str, wait: bool = True) -> None:
    """A command of JupyterLab, as its menus would give it."""
    run = f"window.jupyterapp.commands.execute('{name}')"
    page.evaluate(f"() => {run}" if wait else f"() => {{ {run}; }}")


def theme_of(page: Page) -> str:
    """Which of THEMES the page wears."""
    light = page.evaluate("() => document.body.dataset.jpThemeLight === 'true'")
    return "light" if light else "dark"


def set_theme(page: Page, theme: str) -> None:
    """Settings > Theme; returns when the page wears it."""
    if theme == theme_of(page):
        return
    with THEME:
        page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})",
            THEMES[theme],
        )
        page.wait_for_function(
            "light => document.body.dataset.jpThemeLight === light",
            arg=str(theme == "light").lower(),
        )
    page.wait_for_timeout(500)  # style sheets and figures follow
