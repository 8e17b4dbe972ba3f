"""The tests run from a script as well: `make test &` and nohup let children ignore SIGINT."""

import subprocess
import sys

from tests.paths import ROOT

ONE = ["tests/servers/test_command.py", "-k", "a_signal_ends_it and blocking and idle"]


def test_ignored_interrupt_is_not_handed_on():
    """A server that is to be ended by SIGINT would never end, and the test with it."""
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *ONE]
    done = subprocess.run(
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *pytest],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
