"""Tell the JupyterLab of this Python what the lessons want of it: python -m tools.jupyter.

It does not ask at its first start whether it may fetch news.  A double click on text that may not
be edited, as in a working copy, does not show its Markdown.  And a lesson in which nobody has
written is left as it is stored (`echo/lab/saved.py`).  These stand in folders below sys.prefix in
which every package has files of its own, so that nothing else that is set there is touched.
"""

import contextlib
import json
import sys
from pathlib import Path

FILES = {
    "share/jupyter/lab/settings/overrides.d/echo_lessons.json": {
        "@jupyterlab/apputils-extension:notification": {"fetchNews": "false"},
        "@jupyterlab/notebook-extension:tracker": {"showEditorForReadOnlyMarkdown": False},
    },
    "etc/jupyter/jupyter_server_config.d/echo_lessons.json": {
        "ServerApp": {"jpserver_extensions": {"echo.lab.saved": True}}
    },
}


def set_up(prefix: Path | None = None) -> None:
    """Write these files.  Where somebody else owns the Python, theirs is the decision."""
    for name, values in FILES.items():
        path, text = (prefix or Path(sys.prefix)) / name, json.dumps(values, indent=2) + "\n"
        with contextlib.suppress(OSError):
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    set_up()
