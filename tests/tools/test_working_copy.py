"""A day of learning in JupyterLab, as it is installed: nothing that git knows is changed by it.

    python -m pytest tests/tools/test_working_copy.py

In a clone of its own: the copies are opened, one is run and an exercise solved in it, all are
saved and closed; then the lessons themselves are only opened, and saved.  No setting of JupyterLab
is ours but three: it asks nothing about news; it speaks with its kernels through files, since ports
may be taken by a test that runs beside it; and it saves when it is told to.  (Its timer does not
wait for the end of a save.  At a short interval, on a busy machine, the next save finds a file that
has changed, and asks what to do about it.)
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest

from tests.paths import LESSONS, ROOT

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from tools.browser import lab

pytestmark = pytest.mark.long

RUN = "00_start_here"  # the one that is run
ANSWER = "def serve(listener):\n    print('my own')"


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """What a learner has: the files that git knows as they are here, in a repository of its own."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("no git, or no clone")
    folder = tmp_path_factory.mktemp("clone")
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "-c", "user.name=x", "-c", "user.email=x@localhost", "commit", "-qm", "lessons")
    return folder


@pytest.fixture(scope="module")
def page(clone):
    """JupyterLab, started in the clone, in a browser."""
    program = lab.chromium()
    if program is None:
        lacks = "no chromium here: apt-get install chromium"
        pytest.fail(lacks) if "CI" in os.environ else pytest.skip(lacks)
    with tempfile.TemporaryDirectory(prefix="jupyter-") as name:  # a socket's path is short
        own = Path(name)
        settings = own / "settings"
        lab.configure(settings, "@jupyterlab/docmanager-extension/plugin", {"autosave": False})
        environment = os.environ | {
            "IPYTHONDIR": str(own / "ipython"),
            "JUPYTER_CONFIG_DIR": str(own / "config"),
            "JUPYTER_DATA_DIR": str(own / "data"),
            "JUPYTER_RUNTIME_DIR": str(own / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(settings),
            "JUPYTERLAB_WORKSPACES_DIR": str(own / "workspaces"),
        }
        made = subprocess.run(
            [sys.executable, "-m", "tools.learning"], cwd=clone, env=environment, check=True
        )
        assert made.returncode == 0
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--port=0", "--ip=127.0.0.1"]
        command += ["--KernelManager.transport=ipc"]  # two at a time never draw the same port
        command += ["--ServerApp.root_dir=.", "--LabApp.expose_app_in_browser=True"]
        command += ["--allow-root"] if os.geteuid() == 0 else []
        with (own / "log").open("w") as log:
            process = subprocess.Popen(command, cwd=clone, stdout=log, stderr=log, env=environment)
            try:
                server = lab.answering(process, own)
                with lab.running_browser(program) as browser, lab.opened(browser, server) as page:
                    yield page
            finally:
                process.terminate()
                process.wait(20)


def git(folder, *arguments):
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout


def changed(clone):
    return git(clone, "status", "--porcelain")


def read(path):
    return nbformat.read(path, as_version=4)


def save(page, path):
    """File > Save Notebook, of a lesson that has been touched."""
    before = path.stat().st_mtime_ns
    page.evaluate(f"() => {{ {lab.PANEL}.context.model.dirty = true; }}")
    lab.command(page, "docmanager:save")
    assert path.stat().st_mtime_ns != before, f"{path.name} was not saved"
    assert not page.evaluate(f"() => {lab.PANEL}.context.model.dirty")


def test_a_day_of_learning_changes_nothing_that_git_knows(clone, page):
    for path in LESSONS:
        copy = clone / "learning" / path.name
        with lab.lesson(page, f"learning/{path.name}"):
            trusted = page.evaluate(
                f"() => [...{lab.PANEL}.content.model.cells].filter(one => one.type === 'code')"
                ".every(one => one.trusted)"
            )
            assert trusted, path.name
            if path.stem == RUN:
                lab.run_all(page)
                assert not lab.unannounced_errors(page)
                save(page, copy)
                page.evaluate(
                    f"""text => [...{lab.PANEL}.content.model.cells]
                        .find(one => one.getMetadata('exercise') && one.type === 'code')
                        .sharedModel.setSource(text)""",
                    ANSWER,
                )
            save(page, copy)
    assert changed(clone) == ""
    sources = [cell.source for cell in read(clone / "learning" / f"{RUN}.ipynb").cells]
    assert ANSWER in sources


def test_a_double_click_does_not_open_text_for_editing(clone, page):
    """In JupyterLab the first one would show the Markdown of every hint and of the solution."""
    for folder, opens in ("learning", False), ("notebooks", True):
        with lab.lesson(page, f"{folder}/{RUN}.ipynb"):
            cell = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-MarkdownCell").first
            cell.locator(".jp-RenderedMarkdown").first.dblclick()
            page.wait_for_timeout(300)
            rendered = page.evaluate(f"() => {lab.PANEL}.content.widgets[0].rendered")
            assert rendered is not opens, folder
    assert changed(clone) == ""


def test_a_lesson_that_was_only_opened_is_no_change(clone, page):
    for path in LESSONS:
        with lab.lesson(page, f"notebooks/{path.name}"):
            save(page, clone / "notebooks" / path.name)
    assert changed(clone) == ""


def test_where_jupyter_does_not_know_us_it_passes_the_checks(clone, page):
    """Started elsewhere, it writes its version into the file; that is no change of the lesson."""
    path = clone / "notebooks" / f"{RUN}.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    notebook["metadata"]["language_info"]["version"] = "3.12.1"
    path.write_text(nbformat.writes(nbformat.from_dict(notebook)) + "\n", encoding="utf-8")
    assert changed(clone)
    done = subprocess.run(
        [sys.executable, "-m", "tools.execute", "--check", str(path)],
        *(),
        cwd=clone,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "1 executed, 0 would change\n"), done.stderr


def test_what_was_written_is_kept_when_a_lesson_begins_again(clone, tmp_path):
    def learning(*arguments):
        command = [sys.executable, "-m", "tools.learning", "--into", str(tmp_path), *arguments]
        done = subprocess.run(command, cwd=clone, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    learning()
    path = tmp_path / f"{RUN}.ipynb"
    notebook = read(path)
    notebook.cells[-1].source = ANSWER
    nbformat.write(notebook, path)
    learning("--fresh", "00")
    assert ANSWER in [cell.source for cell in read(tmp_path / f"{RUN}.old.ipynb").cells]
    stored = [cell.source for cell in read(ROOT / "notebooks" / f"{RUN}.ipynb").cells]
    assert [cell.source for cell in read(path).cells] == stored
