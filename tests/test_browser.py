"""What tools/browser.py says where it cannot work; `make browser` has it look at every lesson."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
TOOL = ROOT / "tools" / "browser.py"
LESSONS = sorted(ROOT.glob("notebooks/*.ipynb"))


def test_no_chromium_is_said_in_one_sentence(tmp_path):
    """And nothing is started, nor left behind."""
    done = subprocess.run(
        [sys.executable, TOOL, LESSONS[0]],
        cwd=tmp_path,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "There is no Chromium here: apt-get install chromium\n"
    assert not any(tmp_path.iterdir())


def test_a_browser_that_does_not_start_is_said_in_one_sentence(tmp_path):
    """As where a container forbids what it needs."""
    (tmp_path / "chromium").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "chromium").chmod(0o755)
    done = subprocess.run(
        [sys.executable, TOOL, LESSONS[0]],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{tmp_path / 'chromium'}: ")
    assert done.stderr.count("\n") == 1
