"""What a Jupyter server does when it saves a lesson: opening one is no change.

JupyterLab saves what was only opened, and writes the version of Python and more into the file.
In a lesson of notebooks/ that is taken out again, so that `git status` names a lesson only when
somebody has written in it.  The package brings this along as an extension of Jupyter Server.
"""

from typing import Any

FOLDED = ("collapsed", "execution", "jupyter", "scrolled", "trusted")  # of a cell, not its content


def leave_as_stored(model: dict[str, Any], **_: Any) -> None:
    """Take out of a lesson that is about to be saved what only the front end wants to know."""
    notebook = model.get("content") if model.get("type") == "notebook" else None
    if not notebook or "lesson" not in notebook["metadata"]:
        return
    if any(cell["metadata"].get("editable") is False for cell in notebook["cells"]):
        return  # a working copy, made by tools.learning: it may remember what is folded
    if notebook["metadata"].get("language_info", {}).get("name") == "python":
        notebook["metadata"]["language_info"] = {"name": "python"}
    for cell in notebook["cells"]:
        for key in FOLDED:
            cell["metadata"].pop(key, None)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: Any) -> None:
    server.contents_manager.register_pre_save_hook(leave_as_stored)
