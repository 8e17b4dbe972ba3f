"""The environment of kernels that no setting of the user reaches.

A profile of IPython with `ast_node_interactivity = "all"`, a startup file that prints, another
backend of matplotlib: each would change what lessons show.  tools.execute starts its kernels with
this environment, and the conftest.py at the top gives it to pytest, and so to nbval.
"""

import os
from pathlib import Path

# What names settings of the user, or of the program that has started us.
LEFT_OUT = {
    "IPYTHON_SUPPRESS_CONFIG_ERRORS",
    "JUPYTER_CONFIG_PATH",
    "MPLBACKEND",
    "PYTEST_CURRENT_TEST",
    "PYTHONSTARTUP",
}


def settings(folder: Path) -> dict[str, str]:
    """The variables that lead IPython, Jupyter and matplotlib to `folder`, in which is nothing."""
    empty = folder / "matplotlibrc"
    empty.touch()
    return {
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_CONFIG_DIR": str(folder / "jupyter"),
        "MATPLOTLIBRC": str(empty),
    }


def environment(folder: Path) -> dict[str, str]:
    """Our own environment with these settings in place of the user's."""
    kept = {key: value for key, value in os.environ.items() if key not in LEFT_OUT}
    return kept | settings(folder)
