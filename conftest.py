"""For every pytest here, also for nbval's: no setting of the user reaches a kernel."""

import tempfile
from pathlib import Path

import pytest

from tools import kernel_env


def pytest_configure(config):
    """Before any kernel is started, and before workers are, who take over this environment."""
    if hasattr(config, "workerinput"):
        return
    folder = tempfile.TemporaryDirectory(prefix="settings-")
    changes = pytest.MonkeyPatch()
    for name in kernel_env.LEFT_OUT - {"PYTEST_CURRENT_TEST"}:
        changes.delenv(name, raising=False)
    for name, value in kernel_env.settings(Path(folder.name)).items():
        changes.setenv(name, value)
    config.add_cleanup(folder.cleanup)
    config.add_cleanup(changes.undo)
