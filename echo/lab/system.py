"""Whether the bench can work on this system: Linux, with epoll and /proc.

Elsewhere a learner is told so by her first cell, in one sentence, instead of by a NameError in
the middle of a lesson.
"""

import os
import platform
import select
import sys
import types

from echo.lab.notebook import hide_our_frames

ALIASES = {"Darwin": "macOS"}  # what platform.system() calls what we would call otherwise


class WrongSystem(ImportError):
    """The bench cannot be used here; the message says why, and where it can."""


def require() -> None:
    """Raise WrongSystem where the bench cannot work; only its message will be shown."""
    why = lacking()
    if why:
        hide_our_frames()  # in a notebook
        sys.excepthook = tell  # in a terminal: python -m echo.lab.conformance
        raise WrongSystem(why)


def lacking() -> str:
    """What is wrong with this system, in one sentence; nothing where all is well."""
    if sys.platform != "linux":
        here = ALIASES.get(platform.system(), platform.system())
        return (
            f"The lessons look into a running Linux kernel, and this is {here}: "
            "use a container, WSL2 on Windows, or Binder; README.md says more."
        )
    if not hasattr(select, "epoll"):
        return "The lessons need epoll, and this Python was built without it: use another one."
    if not os.path.isdir("/proc/self/task"):
        return "The lessons look into /proc, and it is not mounted here: mount it (proc(5))."
    return ""


def tell(
    kind: type[BaseException], error: BaseException, trace: types.TracebackType | None
) -> None:
    """Python's last word on an error that nobody has caught (sys.excepthook)."""
    if isinstance(error, WrongSystem):
        print(error, file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)
