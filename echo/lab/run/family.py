"""Whom a command has started: its session, and whoever has left it.

A process that calls setsid(2) is in a session of its own, and one whose parent has ended belongs
to somebody else.  Either still has the environment that it was started with, and there the mark
is that we have put in (environ in proc(5)).
"""

import contextlib
import os
import secrets
from pathlib import Path

from echo.lab.kernel.processes import lives, parent_of, pids, session_of

NAME = "ECHO_LAB_SERVER"


class Family:
    """All processes that descend from the one that is started in `environment`."""

    def __init__(self) -> None:
        self.mark = f"{NAME}={secrets.token_hex(8)}"
        self.environment = dict(os.environ) | dict([self.mark.split("=")])
        self.leader = 0  # its number, and that of its session
        self._known: dict[int, bool] = {}  # number -> whether it is one of them

    def members(self) -> list[int]:
        """Those that live."""
        now = pids()
        known = {pid: self._known[pid] for pid in now if pid in self._known}
        for pid in now:
            if pid not in known:
                known[pid] = self._belongs(pid, known)
        self._known = known
        return [pid for pid in now if known[pid] and lives(pid)]

    def session(self) -> list[int]:
        """Those of them that are still in the leader's session."""
        return [pid for pid in self.members() if session_of(pid) == self.leader]

    def _belongs(self, pid: int, known: dict[int, bool]) -> bool:
        """Whoever is one of them stays so, also if it changes its session or environment later."""
        if pid == self.leader or session_of(pid) == self.leader or known.get(parent_of(pid) or 0):
            return True
        with contextlib.suppress(OSError):
            return os.fsencode(self.mark) in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        return False
