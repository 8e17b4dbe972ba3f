"""On a machine that cannot do all that a lesson shows, it shows the same, and one line more.

The line begins `recorded:` or `reduced:`, and stands there and only there: that nothing else
differs, and that no such line comes without a cause, is tried on machines that are lesser by
one thing each.  That none is stored, test_stored.py asks.
"""

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from echo.lab.measure.watched import path_of
from echo.ring import Ring
from tests import lesser
from tests.paths import LESSONS, ROOT
from tests.tools.one_lesson import tool

MACHINES = {
    "without io_uring": lesser.without_io_uring(),
    "with few files": lesser.with_few_files(),
}
PROGRAMS = all(map(path_of, ["redis-server", "nginx"]))  # CI need not have them
if PROGRAMS:
    MACHINES["without programs"] = lesser.without_programs()
NBVAL = ["-m", "pytest", "-p", "no:cacheprovider", "-p", "conftest", "-c", "/dev/null", "-q"]
NBVAL += ["--nbval", "--nbval-current-env", f"--nbval-sanitize-with={ROOT / 'sanitize.cfg'}"]
NEEDED = 10_500  # files: curve() has 10 000 descriptors

CELLS = {
    "plain": "print('asleep in select')",
    "asks": """
from echo.ring import Ring

try:
    Ring().close()
except OSError as error:
    print("recorded:", error.strerror)
print("io_uring_enter = 2")""",
    "prints": """
from echo.lab import curve, verdict

print(verdict(curve("epoll")))""",
    "shows": """
from echo import epoll_server
from echo.lab import compare

compare(epoll_server)""",
}
if PROGRAMS:
    CELLS["starts"] = """
from echo.lab import watched

watched("redis")"""
SAID = {  # machine -> cell -> the line that it prints there
    "without io_uring": {"asks": "recorded: no io_uring here: a seccomp filter or .* forbids it"},
    "with few files": {
        "prints": r"reduced: to 1000 descriptors; no process may have 10000 here",
        "shows": r"reduced: \d+ idle clients, not 1000: too few open files are allowed here",
    },
    "without programs": {"starts": r"recorded: no redis-server here; its flags are .*"},
}


@pytest.fixture(scope="module", autouse=True)
def whole_machine():
    """Where something is lacking anyhow, nobody could say what a line is for.

    That is no failure, not even where CI runs: nothing can be installed that mends it.
    """
    try:
        Ring().close()
    except OSError as error:
        pytest.skip(error.strerror)
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < NEEDED:
        pytest.skip(f"fewer than {NEEDED} files may be open here")


@pytest.fixture(scope="module")
def machines():
    """Those that this machine can play, by name: the beginnings of commands."""
    if not lesser.CAN_FORBID:
        pytest.skip("how to forbid a call is not known on this processor")
    done = subprocess.run(
        [*MACHINES["without io_uring"], "-c", ""], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"nothing can be forbidden here: {done.stderr.splitlines()[-1]}")
    return MACHINES


def on(machine, *arguments):
    """Run Python with `arguments` there; what it said and returned."""
    environment = {"PYTHONPATH": str(ROOT)}  # for a notebook that lies elsewhere
    return subprocess.run(
        [*machine, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def lines_said(machine, path):
    """{(id of a cell, line): ...} that it prints there, once all the rest is as stored.

    A cell that prints the line and nothing else is refused by the tool itself.
    """
    done = on(machine, "-m", "tools.execute", "--check", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("1 executed, 0 would change\n")
    return set(re.findall(r"(?m)^    cell \d+ \(id ([\w-]+), \[\d+\]\): (.*)$", done.stdout))


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A small lesson that cannot be shown everywhere, stored on this machine."""
    path = tmp_path_factory.mktemp("lesson") / "lesson.ipynb"
    cells = [new_code_cell(text.strip(), id=name) for name, text in CELLS.items()]
    nbformat.write(new_notebook(cells=cells), path)
    done = tool(path)
    # if a line had been printed here as well, nothing would have been stored
    assert (done.stdout, done.stderr) == ("1 executed, 1 changed: lesson.ipynb\n", "")
    return path


@pytest.mark.parametrize("name", MACHINES)
class TestTheMeans:
    """What the lessons rely on, shown on a lesson that needs both."""

    @pytest.mark.long
    def test_lines_stand_where_the_machine_is_lesser_and_only_there(self, stored, machines, name):
        said = dict(lines_said(machines[name], stored))
        assert said.keys() == SAID[name].keys()
        for cell, line in said.items():
            assert re.fullmatch(SAID[name][cell], line)

    @pytest.mark.soak
    def test_nbval_sees_no_difference(self, stored, machines, name):
        """It has its own list of lines to drop."""
        done = on(machines[name], *NBVAL, stored)
        assert done.returncode == 0, done.stdout
        assert f"{len(CELLS)} passed" in done.stdout


def test_there_are_lessons():
    assert LESSONS


@pytest.mark.soak
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_says_what_this_machine_cannot_and_is_else_the_same(path, machines):
    """What two machines say that have no want in common would be said anywhere.

    But for what this machine lacks itself: a framework that `make frameworks` has not installed.
    """
    said = [lines_said(machine, path) for machine in machines.values()]
    if set.intersection(*said):  # then one is said on this machine as well, and with a cause
        anyhow = lines_said([sys.executable], path)
        said = [lines - anyhow for lines in said]
    assert len(set().union(*said)) == sum(map(len, said)), said


if __name__ == "__main__":  # to try a lesson: python -m tests.lessons.test_recorded FILE
    for name, machine in MACHINES.items():
        print(name, lines_said(machine, Path(sys.argv[1]).resolve()))
