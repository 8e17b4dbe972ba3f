"""For every pytest here, also for nbval's: no setting of the user reaches a kernel.

And the kernels of nbval need no port.  Ports are drawn before the kernel takes them, and a lesson
that runs beside it may come in between: then nbval waits a minute, and every cell is an error.
"""

import os
import tempfile
import uuid
from pathlib import Path

import nbval.kernel
import pytest
from jupyter_client.manager import KernelManager

from tools import kernel_env


def on_unix_sockets(**options):
    """A manager of a kernel whose files are beside the settings, see below; it removes them."""
    folder = Path(os.environ["IPYTHONDIR"]).parent
    file = folder / f"kernel-{uuid.uuid4().hex[:8]}.json"
    return KernelManager(transport="ipc", connection_file=str(file), **options)


nbval.kernel.KernelManager = on_unix_sockets


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
