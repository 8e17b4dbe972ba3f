"""Whether a server sleeps while nothing happens, on a machine that may be busy."""

import contextlib
import time
from typing import Protocol

from echo.lab.kernel.processes import ThreadState
from echo.lab.kernel.sleep import NotTold, all_asleep
from echo.lab.run.rest import RESTLESS

WINDOW = 0.2  # seconds of one look
BRIEF = 0.05  # seconds of it for one who has come to rest before: that he spins shows at once
PAUSES = 0.01  # seconds: not in one piece, for a virtual machine may stand still for that long
SHARE = 0.05  # of one processor: who asks ten times a second needs less, who spins gets more
GIVES_UP = 5.0  # seconds after which we go on without what normally comes at once
LOOKS = 3  # times that the server must have come to rest without having answered
A_MOMENT = 0.02  # seconds: who sleeps does not wake up once, and who can answers
LEAST = 0.01  # seconds of processor time; the kernel does not count more finely everywhere


class Resting(Protocol):
    """What has to be seen of a server."""

    @property
    def ended(self) -> bool: ...
    def cpu(self) -> float: ...
    def look(self) -> dict[int, ThreadState]: ...


class OfOurs(Resting, Protocol):
    """The same, of a server whose threads are this process's."""

    def tids(self) -> list[int]: ...
    def times_slept(self) -> int: ...


class Window:
    """What a server has done since it was made."""

    def __init__(self, server: Resting) -> None:
        self.server = server
        self.last = server.look()
        self.began, self.before, self.slept = time.monotonic(), server.cpu(), slept(self.last)
        self.forced = slept(self.last, 1)
        self.looks = self.asleep = 0

    def watch(self) -> None:
        time.sleep(PAUSES)
        before, self.last = self.last, self.server.look()
        self.looks += 1  # who waits for the GIL sleeps as well, but has been awake in between
        asleep = all(one.state == "S" for one in self.last.values())
        self.asleep += asleep and self.last == before

    @property
    def lasted(self) -> float:
        return time.monotonic() - self.began

    def spent(self) -> float:
        return self.server.cpu() - self.before

    def woken(self) -> int:
        return slept(self.server.look()) - self.slept

    def preempted(self) -> int:
        return slept(self.server.look(), 1) - self.forced

    def doing(self) -> str | None:
        """ "" if it sleeps; None if that cannot be said yet."""
        if self.spent() > LEAST and self.spent() > SHARE * self.lasted:
            return "is busy"
        if self.woken() / self.lasted > RESTLESS:
            return "wakes up"
        return "" if 2 * self.asleep > self.looks else None


def slept(look: dict[int, ThreadState], how: int = 0) -> int:
    """How often threads have gone to sleep so far, together; or, with 1, were made to wait."""
    return sum(int(one.switches[how]) for one in look.values() if one.switches)


def at_rest(server: Resting, patience: float, seconds: float = WINDOW) -> str:
    """ "" if it sleeps, else what it does instead: "is busy", "wakes up".

    It sleeps if it does so in one window of `seconds`; it does not if it is at work in two in a
    row, for at the beginning it may still be reacting.  Who is ready to run and gets no processor
    is neither.  If that goes on, it counts how its turns have ended: who has little to do goes to
    sleep again, and from who spins the kernel takes the processor (nonvoluntary_ctxt_switches in
    proc(5)).
    """
    whole, last = Window(server), ""
    while whole.lasted < patience and not server.ended:
        window = Window(server)
        while window.lasted < seconds:
            window.watch()
        doing = window.doing()
        if doing == "" or server.ended:
            return ""
        if doing and last:
            return doing
        last = doing or ""
    return "is busy" if whole.spent() > LEAST and whole.preempted() > whole.woken() else ""


def at_work(server: OfOurs) -> str:
    """Whether a server is "asleep" or "busy" while nobody does anything new.

    Most are asleep at the first look, with nothing ready for them, and stay so.
    """
    with contextlib.suppress(NotTold):
        for _ in range(LOOKS):
            slept = server.times_slept()
            if all_asleep(server.tids()):
                time.sleep(A_MOMENT)
                if server.times_slept() == slept and all_asleep(server.tids()):
                    return "asleep"
    return "busy" if at_rest(server, GIVES_UP, BRIEF) else "asleep"
