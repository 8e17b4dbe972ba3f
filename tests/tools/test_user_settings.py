"""What a user has set for IPython, Jupyter and Python changes no lesson that is checked.

Each setting is one that would: without our conftest.py, nbval fails where these are.
"""

import os
import re
import subprocess
import sys

import pytest

from tests.paths import LESSONS, ROOT

CONFIG = """
c.InteractiveShell.ast_node_interactivity = "all"
c.InteractiveShellApp.exec_lines = ["print('exec_lines')"]
"""
STARTUP = "import atexit\nprint('startup')\nget_ipython().display_formatter.active_types = []\n"


@pytest.fixture(scope="module")
def user(tmp_path_factory):
    """The environment of somebody who has set a lot."""
    home = tmp_path_factory.mktemp("home")
    profile = home / "ipython/profile_default"
    (profile / "startup").mkdir(parents=True)
    for name in "ipython_config.py", "ipython_kernel_config.py":
        (profile / name).write_text(CONFIG)
    (profile / "startup/00.py").write_text(STARTUP)
    jupyter = home / "jupyter"
    jupyter.mkdir()
    (jupyter / "jupyter_config.json").write_text('{"ConnectionFileMixin": {"transport": "none"}}')
    (home / "python.py").write_text("print('PYTHONSTARTUP')\nprint = None\n")
    (home / "matplotlibrc").write_text("svg.fonttype: none\nfont.size: 31\n")
    return os.environ | {
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_CONFIG_DIR": str(jupyter),
        "MATPLOTLIBRC": str(home / "matplotlibrc"),
        "MPLBACKEND": "none such",
        "PYTHONSTARTUP": str(home / "python.py"),
    }


def run(user, *arguments):
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, env=user, capture_output=True, text=True
    )


def nbval(user, *more):
    return run(user, "pytest", "-q", "-p", "no:cacheprovider", "--nbval", str(LESSONS[0]), *more)


@pytest.mark.long
def test_nbval_does_not_see_them(user):
    done = nbval(user)
    assert done.returncode == 0, done.stdout[-2000:]
    assert re.search(r"^\d+ passed", done.stdout, re.MULTILINE)


@pytest.mark.long
def test_they_would_be_seen(user):
    """Otherwise the tests above and below could not fail."""
    done = nbval(user, "--noconftest")
    assert done.returncode == 1
    assert re.search(r"\d+ (failed|errors?)\b", done.stdout)


@pytest.mark.long
def test_the_check_does_not_see_them(user):
    done = run(user, "tools.execute", "--check", str(LESSONS[0]))
    assert (done.returncode, done.stdout) == (0, "1 executed, 0 would change\n"), done.stderr


def test_a_kernel_of_any_test_does_not_see_them():
    """This very pytest has been given folders in which is nothing that somebody has set."""
    folder = os.environ["JUPYTER_CONFIG_DIR"]  # Jupyter notes there that it moved no old settings
    assert not os.path.exists(folder) or set(os.listdir(folder)) <= {"migrated"}
    assert os.environ["IPYTHONDIR"].startswith(os.path.dirname(folder))
    assert os.path.getsize(os.environ["MATPLOTLIBRC"]) == 0
    assert "PYTHONSTARTUP" not in os.environ
    backend = os.environ.get("MPLBACKEND", "")  # ipykernel sets its own where it is imported
    assert backend.startswith("module://matplotlib_inline") or not backend
