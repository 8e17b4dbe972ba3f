"""The set-up installs once, mends what was interrupted, and says in one sentence what it lacks."""

import re
import shutil
import subprocess

import pytest

from tests.paths import ROOT

FILES = ["Makefile", "constraints.txt", "docs/constraints.txt", "pyproject.toml", "tools/setup.sh"]
# No more is needed.
PROGRAMS = ["awk", "cat", "cksum", "head", "id", "make", "mkdir", "rm", "sh", "uname"]

TOO_OLD = """#!/bin/sh
echo 3.10
exit 1
"""
WITHOUT_VENV = """#!/bin/sh
case $2 in *venv*) exit 1 ;; esac
echo 3.12
"""
PYTHON = """#!/bin/sh
echo "$@, HOME=$HOME" >>calls
case $2 in
venv) mkdir .venv/bin && cat "$0" >.venv/bin/python && chmod +x .venv/bin/python ;;
pip) ! cat broken 2>&1 ;;
*) echo 3.12 ;;
esac
"""


class Clone:
    """A copy of the set-up, with a Python that only notes how it was called."""

    def __init__(self, folder):
        self.folder = folder
        self.programs = folder.parent / "bin"
        self.programs.mkdir()
        for name in [*PROGRAMS, "chmod"]:
            (self.programs / name).symlink_to(shutil.which(name))
        for name in FILES:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
        self.add_program("python3", PYTHON)

    def add_program(self, name, text):
        path = self.programs / name
        path.unlink(missing_ok=True)  # a link would be followed
        path.write_text(text)
        path.chmod(0o755)

    def make(self, *arguments, home=None):
        return subprocess.run(
            ["make", *arguments],
            cwd=self.folder,
            env={"PATH": str(self.programs), "HOME": str(home or self.folder)},
            capture_output=True,
            text=True,
        )

    def called(self, what):
        """How often Python was called with `what` since the last question."""
        calls = self.folder / "calls"
        text = calls.read_text() if calls.exists() else ""
        calls.unlink(missing_ok=True)
        return text.count(what)


@pytest.fixture
def clone(tmp_path):
    return Clone(tmp_path / "a clone")  # with a blank in its path


def the_sentence(done):
    """What a failed `done` says, less make's own last line."""
    assert done.returncode
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("make: ***")]
    return line


def test_make_alone_lists_every_target(clone):
    done = clone.make()
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    listed = re.findall(r"^make (\w+) +[A-Z].*\.$", done.stdout, re.MULTILINE)
    assert ["help", *listed] == targets
    assert {"lab", "test", "lessons", "site", "soak"} <= set(listed)


@pytest.mark.parametrize("system", ["Darwin", "MINGW64_NT-10.0-26100"])
def test_another_system(clone, system):
    """Before anything is installed that would be of no use there."""
    clone.add_program("uname", f"#!/bin/sh\necho {system}\n")
    for target in "lab", "test":
        line = the_sentence(clone.make(target))
        assert f"this is {system}" in line
        assert all(way in line for way in ("container", "WSL2", "Binder"))
    assert not (clone.folder / "calls").exists()


def test_python_is_missing(clone):
    line = the_sentence(clone.make("lessons", "PYTHON=python3.99"))
    assert "python3.99 cannot be run" in line


def test_python_is_too_old(clone):
    clone.add_program("python3", TOO_OLD)
    floor = re.search(r'requires-python = ">=(.*)"', (ROOT / "pyproject.toml").read_text())[1]
    assert f"Python {floor} or newer is needed, but python3 is Python 3.10" in the_sentence(
        clone.make("lessons")
    )


def test_venv_module_is_missing(clone):
    clone.add_program("python3", WITHOUT_VENV)
    assert "apt-get install python3.12-venv" in the_sentence(clone.make("lessons"))


def test_download_fails(clone):
    (clone.folder / "broken").write_text("no route to host\n" * 50)
    assert ".venv/setup.log says why" in the_sentence(clone.make("lessons"))
    assert "no route to host" in (clone.folder / ".venv/setup.log").read_text()
    (clone.folder / "broken").unlink()
    assert clone.make("lessons").returncode == 0


def test_second_call_installs_nothing(clone):
    assert clone.make("lessons").returncode == 0
    assert clone.called("pip install") == 2
    for target in "lessons", "test", "soak", "lab":
        assert clone.make(target).returncode == 0
    assert clone.called("pip install") == 0


def test_what_takes_long_is_left_to_all(clone):
    """And the last line says so; CI leaves nothing out."""
    assert "make test ALL=1" in clone.make("test").stdout
    assert not clone.called("not soak")
    assert "make test ALL=1" not in clone.make("test", "ALL=1").stdout
    assert clone.called("pytest -n auto -m not soak tests")
    assert "\nmake test ALL=1\n" in (ROOT / ".ci/run").read_text()


def test_changed_set_is_installed(clone):
    clone.make("lessons")
    clone.called("")
    with (clone.folder / "constraints.txt").open("a") as constraints:
        constraints.write("another==1.0\n")
    clone.make("lessons")
    assert clone.called("pip install") == 2


def test_what_the_site_needs_is_installed_once_and_when_asked_for(clone):
    clone.make("lessons")
    clone.called("")
    assert clone.make("site").returncode == 0
    assert clone.called("constraints.txt --no-build-isolation -e .[lab,test,browser,site]") == 1
    for target in "site", "lessons":
        assert clone.make(target).returncode == 0
    assert clone.called("pip install") == 0


@pytest.mark.parametrize("fault", ["interrupted", "moved", "of a Python that is gone"])
def test_unusable_venv_is_made_anew(clone, fault):
    clone.make("lessons")
    clone.called("")
    match fault:
        case "interrupted":
            (clone.folder / ".venv/unfinished").touch()
        case "moved":
            clone.folder = clone.folder.rename(clone.folder.with_name("moved"))
        case _:
            (clone.folder / ".venv/bin/python").unlink()
    assert clone.make("lessons").returncode == 0
    assert clone.called("-m venv") == 1
    assert not (clone.folder / ".venv/unfinished").exists()


def test_home_that_cannot_be_written(clone):
    """Jupyter, IPython, matplotlib and pip write there; then they get one in .venv."""
    for target in "lessons", "lab", "test":
        assert clone.make(target, home="/nowhere").returncode == 0
    assert clone.called(f"HOME={clone.folder}/.venv/home\n")
    assert (clone.folder / ".venv/home").is_dir()
    clone.make("lessons", home="/nowhere")
    assert not clone.called("HOME=/nowhere\n")
    clone.make("lessons")
    assert clone.called(f"HOME={clone.folder}\n"), "a good one is kept"


def test_named_python_replaces_another(clone):
    clone.make("lessons")
    clone.add_program("python3.13", PYTHON.replace("3.12", "3.13"))
    for times in 1, 0:
        clone.called("")
        assert clone.make("lessons", "PYTHON=python3.13").returncode == 0
        assert clone.called("-m venv") == times
    assert clone.make("lessons").returncode == 0
    assert clone.called("-m venv") == 0, "not named, any will do"
