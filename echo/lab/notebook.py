"""Keep the bench's own frames out of the tracebacks that a notebook shows.

A learner's call may fail below a function of ours, such as the stand-in for select.select on
a day when a tape is running.  What she needs to see is her own line and the message.
"""

import contextlib
import itertools
import socket
import types
from pathlib import Path
from typing import Any

OURS = str(Path(__file__).parent)


def hide_our_frames() -> None:
    """From now on, tracebacks in this notebook end with the last frame that is not ours."""
    try:
        from IPython import get_ipython
    except ImportError:
        return
    shell = get_ipython()
    if shell is not None and not shell.custom_exceptions:
        shell.set_custom_exc((Exception,), show)


def show(shell: Any, kind: type, error: Exception, trace: Any, tb_offset: int | None = None) -> Any:
    """IPython's handler (InteractiveShell.set_custom_exc): the usual one, on a shorter trace."""
    cut(trace)
    return shell.showtraceback((kind, error, trace), tb_offset=tb_offset)


def cut(trace: types.TracebackType | None) -> None:
    """Take the frames of the bench off the end; whatever lies before them stays."""
    last = trace
    while trace is not None:
        if not trace.tb_frame.f_code.co_filename.startswith(OURS):
            last = trace
        trace = trace.tb_next
    if last is not None:
        last.tb_next = None


def display(shown: Any) -> bool:
    """Display something in the cell that runs now; False where there is no notebook."""
    with contextlib.suppress(ImportError):
        from IPython import display, get_ipython

        if hasattr(get_ipython(), "kernel"):
            display.display(shown)
            return True
    return False


def current_cell() -> tuple[str | None, str | None]:
    """The notebook cell that runs now, and this very run of it; (None, None) elsewhere.

    JupyterLab sends a cell's id; nbclient and nbval send none, so there it is its source.
    """
    with contextlib.suppress(ImportError, AttributeError, KeyError):
        from IPython import get_ipython

        parent = get_ipython().get_parent()
        cell = parent["metadata"].get("cellId") or parent["content"]["code"]
        return cell, parent["header"]["msg_id"]
    return None, None


def sockets_of_the_notebook() -> list[socket.socket]:
    """The sockets that a variable of the notebook holds, itself or in a container."""
    try:
        from IPython import get_ipython

        names = get_ipython().user_ns
    except (ImportError, AttributeError):
        return []
    found: dict[int, socket.socket] = {}
    seen: set[int] = set()
    todo = list(names.values())
    while todo:
        value = todo.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, socket.socket):
            found[id(value)] = value
        elif isinstance(value, dict):
            todo += itertools.chain(value.keys(), value.values())
        elif isinstance(value, list | tuple | set | frozenset):
            todo += value
    return list(found.values())
