"""Keep the bench's own frames out of the tracebacks that a notebook shows.

A learner's call may fail below a function of ours, such as the stand-in for select.select on
a day when a tape is running.  What she needs to see is her own line and the message.
"""

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
