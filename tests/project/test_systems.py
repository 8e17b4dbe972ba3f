"""On another system, or where something is missing, a sentence says so; nothing is a traceback.

The servers that need no more than sockets run on every system, and LANG=C changes nothing.
"""

import json
import os
import re
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from echo.lab import system
from tests import lesser
from tests.paths import LESSONS, ROOT
from tests.servers.command import COMMAND, SERVERS, Server, echoed
from tests.strace import strace

SAYS = {
    "macOS": "this is macOS: use a container, WSL2 on Windows, or Binder",
    "Windows": "this is Windows: use a container, WSL2 on Windows, or Binder",
    "Linux without epoll": "this Python was built without it",
    "Linux without /proc": "it is not mounted here",
}
RUN_ANYWHERE = {"blocking", "nonblocking", "select", "threaded"}
RUN = {"macOS": RUN_ANYWHERE | {"poll"}, "Windows": RUN_ANYWHERE}
ASCII = {  # of what Python does to escape from ASCII where LANG is C, nothing
    "LC_ALL": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
}
# Runs each cell that is given on stdin as a kernel would, and writes what a learner would see.
NOTEBOOK = """
import contextlib, io, json
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance(colors="nocolor")
cells = json.load(sys.stdin)
{system}
shown = []
for cell in cells:
    for name in [name for name in sys.modules if name.partition(".")[0] == "echo"]:
        del sys.modules[name]
    with contextlib.redirect_stdout(io.StringIO()) as said:
        ok = shell.run_cell(cell).success
    shown.append([ok, said.getvalue()])
json.dump(shown, sys.stdout)
"""


def run(*command, given=None, **variables):
    return subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        input=given,
        encoding="utf-8",
        timeout=60,
    )


def first_cell(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "".join(next(cell["source"] for cell in cells if cell["cell_type"] == "code"))


def as_in_a_notebook(cells, system):
    """[whether it went well, what was shown] for each cell, on a system of lesser.py."""
    code = "import sys\n" + NOTEBOOK.format(system=system)
    done = run(sys.executable, "-c", code, given=json.dumps(cells))
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", lesser.SYSTEMS)
def test_first_cell_of_each_lesson_says_it(name):
    """In one sentence, below the line of the cell that failed and nothing of ours."""
    for ok, shown in as_in_a_notebook(list(map(first_cell, LESSONS)), lesser.SYSTEMS[name]):
        assert not ok
        assert re.fullmatch(r"WrongSystem: The lessons .*\.", shown.splitlines()[-1])
        assert SAYS[name] in shown
        assert re.search(r"(?m)^-+> \d+ ", shown)
        assert "from echo.lab import" in shown
        assert "echo/lab" not in shown
        assert len(shown.splitlines()) <= 15


def test_first_cell_of_each_lesson_runs_here():
    """So it is the system that the cells above complain of."""
    assert all(ok for ok, _ in as_in_a_notebook(list(map(first_cell, LESSONS)), ""))


@pytest.mark.parametrize("name", lesser.SYSTEMS)
def test_suite_as_a_program_says_it(name):
    """A terminal shows the sentence alone."""
    done = run(*lesser.on(name), sys.executable, "-m", "echo.lab.conformance", "--help")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert SAYS[name] in line


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("name", RUN)
def test_server_runs_or_says_that_it_cannot(name, server):
    """What waits in recv() or select() needs nothing of Linux."""
    if server in RUN[name]:
        with Server(server, under=lesser.on(name)) as running, running.connect() as client:
            assert echoed(client, b"hello")
    else:
        done = run(*lesser.on(name), *COMMAND, server, "0")
        assert done.returncode == 1
        assert done.stderr == f"python -m echo: {server} cannot run on this system; select can\n"


def test_other_errors_keep_their_tracebacks(capsys):
    """The sentence alone is for what it was written for."""
    try:
        raise NameError("cnt")
    except NameError as error:
        system.tell(NameError, error, error.__traceback__)
    assert "Traceback" in capsys.readouterr().err


def test_readme_tells_the_ways():
    """To which the sentences send their readers."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for way in "macOS", "Windows", "container", "WSL2", "Binder":
        assert way in text


def test_without_strace(monkeypatch):
    """Its tests are skipped with a sentence; in CI they fail with it."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("CI", "")
    with pytest.raises(pytest.skip.Exception, match="strace is not installed"):
        strace()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(AssertionError, match="strace is not installed"):
        strace()


def test_figure_where_home_cannot_be_written():
    """matplotlib keeps a cache there, and would warn in the learner's cell that it has none."""
    code = "from echo.lab import map_of_the_series as draw; print(len(str(draw())) > 0)"
    homeless = {"HOME": "/proc/nowhere", "XDG_CONFIG_HOME": "", "XDG_CACHE_HOME": ""}
    done = run(sys.executable, "-W", "error", "-c", code, MPLCONFIGDIR="", **homeless)
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_lesson_is_stored_the_same_where_lang_is_c(tmp_path):
    """Its words are Chinese and its quotes typographical; the file is UTF-8 in any case."""
    path = tmp_path / "lesson.ipynb"
    cells = [new_markdown_cell("你好", id="say"), new_code_cell("print('“世界”')", id="run")]
    nbformat.write(new_notebook(cells=cells), path)
    stored = run(sys.executable, "-m", "tools.execute", str(path), **ASCII)
    assert stored.stdout == "1 executed, 1 changed: lesson.ipynb\n", stored.stderr
    assert "“世界”\\n" in path.read_text(encoding="utf-8").rpartition('"outputs"')[2]


def test_commands_speak_where_lang_is_c():
    """They say what they say elsewhere, and take a host's name in any script."""
    host = "例..え".encode()  # one for which no name server is asked
    for words in (["--help"], ["select", "0", "--host", host]):
        here, there = run(*COMMAND, *words), run(*COMMAND, *words, **ASCII)
        assert (there.returncode, there.stdout) == (here.returncode, here.stdout)
        assert len(there.stderr.splitlines()) == len(here.stderr.splitlines()) <= 1
