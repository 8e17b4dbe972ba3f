"""Turn a server's loop by hand: once per step(), and look at it in between.

    stepper = Stepper()
    server = start(select_server.serve, stepper)
    client = server.connect()
    stepper.step()

A Stepper is a Tape with a gate.  Whenever the server's thread is about to call select(), poll()
or epoll's poll(), it stops in front of that call until step() lets it through, and then runs
until it comes to the next one: one turn of its loop.  The server knows nothing of it; it may be
one of ours or the learner's own.  Other waits (sigwaitinfo(), io_uring, a blocking recv()) have
no gate, and step() says so.

What is shown is asked of the kernel without consuming anything, while the server stands still.
"""

import contextlib
import select
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from echo.lab.kernel.sleep import NotTold, all_asleep
from echo.lab.kernel.sockets import entries, unread
from echo.lab.record.calls import Answer, Asked, Call, Events, asked_words
from echo.lab.record.panel import Panel
from echo.lab.record.stand_ins import REAL, TracedEpoll, TracedPoll
from echo.lab.record.tape import Tape, each_of_three
from echo.lab.run.rest import PATIENCE
from echo.lab.run.server import Server
from echo.lab.words import amount, flag_names, in_order

IN, PRI, OUT, ERR, HUP, RDHUP = (
    getattr(select, f"POLL{name}", 0) for name in ("IN", "PRI", "OUT", "ERR", "HUP", "RDHUP")
)
STEPPED = {"pselect6", "poll", "epoll_wait"}  # the calls that have a gate
UNREAD, UNSENT = "unread in the kernel", "unsent in the server"
MARGIN = 12  # columns, where the text of each line begins
MOST_CALLS = 40  # of one turn are shown
MOST_CLIENTS = 8  # are shown though nothing lies there for them


class Pending(NamedTuple):
    """A call that waits, before it is made."""

    name: str
    asked: Asked
    args: tuple[Any, ...]
    poller: TracedPoll | TracedEpoll | None  # None: select(), whose sets are in `args`
    timeout: float | None

    @property
    def limited(self) -> bool:
        """Whether it ends at some time though nothing comes."""
        return self.timeout is not None and self.timeout >= 0

    def __str__(self) -> str:
        limit = (", with timeout 0" if self.timeout == 0 else ", with a timeout") * self.limited
        return f"{self.name}({asked_words(self.name, self.asked)}){limit}"


class State(NamedTuple):
    """What the kernel and the server hold for one of its sockets."""

    unread: int  # bytes not read yet (FIONREAD); of the listener, clients not accepted yet
    unsent: int  # bytes received from the client and not sent back, by the tape
    events: int  # what poll() says of it, whatever the server waits for


class Look(NamedTuple):
    """What can be seen while the server stands before its wait."""

    asked: Pending
    interest: dict[str, int]  # role -> events
    ready: dict[str, int]  # role -> events
    returns: bool  # whether the call would return now
    fails: bool  # with an error
    states: dict[str, State]  # role -> what lies there

    @property
    def sleeps(self) -> bool:
        return not self.returns and self.asked.timeout != 0


class Turn:
    """What step() shows: a turn of the loop, or that there was none.

    `turned`: whether there was one.  `calls`: the system calls made in it.
    """

    def __init__(self, text: str, turned: bool = False, calls: Iterable[Call] = ()) -> None:
        self.text = text
        self.turned = turned
        self.calls = list(calls)

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


class Stepper(Tape):
    """A tape whose server stops in front of each wait, until step() is called.

    stop(), the end of a `with` block and leftovers(stop=True) open the gate for good.
    """

    def __init__(self) -> None:
        super().__init__()
        self._bell = threading.Lock()  # released: whoever stands at the gate looks again
        self._bell.acquire()
        self._panels: list[Panel] = []
        self._begin()

    def _begin(self) -> None:
        self.turns = 0  # that the server has asked for: it stands before this one, or is in it
        self.allowed = 0  # that step() has let it have
        self._open = False
        self._asked: Pending | None = None
        self._named: dict[str, int] = {}  # role -> events, as the last wait has answered
        self._calls: list[Call] = []  # of this turn
        self._unsent: dict[str, int] = {}  # role -> bytes

    def __str__(self) -> str:
        lines = [super().__str__()]
        if self.at_gate():
            lines.append(f"{self._asked} ... at the gate")
        return "\n".join(lines)

    # -- what the server's thread does ---------------------------------------------------

    def attach(self, server: Server) -> None:
        super().attach(server)
        self._begin()

    def wait(
        self,
        poller: Any,
        timeout: float | None,
        name: str,
        asked: Asked,
        make: Callable[..., Any],
        *args: Any,
        found: Callable[[Any], Answer] | None = None,
    ) -> Any:
        server = self.server
        if server is None or threading.current_thread() is not server.threads.first:
            return super().wait(poller, timeout, name, asked, make, *args, found=found)

        def answering(*args: Any) -> Any:
            answer = make(*args)
            self._named = self._answered(answer)
            return answer

        self.waited = True
        self._asked = Pending(name, asked, args, poller, timeout)
        self.turns += 1
        while self.allowed < self.turns and not self._open:
            self._bell.acquire()
        return super().wait(poller, timeout, name, asked, answering, *args, found=found)

    def _answered(self, answer: Any) -> Events:
        """What select() or a poll() has returned, by role."""
        return self.by_role(each_of_three(answer) if isinstance(answer, tuple) else answer)

    def _write(self, start: float, name: str, asked: Asked, answer: Answer) -> None:
        super()._write(start, name, asked, answer)
        self._calls.append(Call(start, time.perf_counter(), name, asked, answer))
        if name in ("recvfrom", "sendto") and isinstance(answer, int) and isinstance(asked, str):
            sign = 1 if name == "recvfrom" else -1
            self._unsent[asked] = self._unsent.get(asked, 0) + sign * answer

    # -- the gate ------------------------------------------------------------------------

    def at_gate(self) -> dict[int, str]:
        server, asked = self.server, self._asked
        if server is None or asked is None or self._open or self.allowed >= self.turns:
            return {}
        first = server.threads.first
        return {} if server.ended or first is None else {first.native_id or 0: asked.name}

    def open_gate(self, server: Server) -> None:
        if self.server is server:
            self._open = True
            self._ring()

    def _ring(self) -> None:
        """Have the thread at the gate, if there is one, look whether it may go.

        A plain lock, because an interrupt cannot come in the midst of its release().
        """
        with contextlib.suppress(RuntimeError):  # it has been rung and not heard yet
            self._bell.release()

    def _comes_to_its_wait(self) -> bool:
        """Wait for the server; False if it has ended, sleeps elsewhere or takes too long."""
        assert self.server is not None
        self._ring()  # a step that was interrupted has not, maybe
        deadline = time.monotonic() + PATIENCE
        elsewhere = 0  # looks in a row
        while not self.server.ended and not self.server.stopping:
            if self.at_gate():
                return True
            if time.monotonic() > deadline:
                return False
            elsewhere = elsewhere + 1 if self._rests_elsewhere() else 0
            if elsewhere == 3 and not self.at_gate():
                return False
            time.sleep(0.0005)
        return False

    def _rests_elsewhere(self) -> bool:
        """Whether its thread sleeps, with no end in sight, in a call that has no gate."""
        assert self.server is not None
        try:
            rests = all_asleep(self.server.tids())
        except NotTold:
            return False
        return rests and STEPPED.isdisjoint(self.sleeps())  # let through, until its timeout

    # -- for people ----------------------------------------------------------------------

    def step(self, timeout: bool = False) -> Turn:
        """Let the server's loop turn once, and return when it is back at its wait.

        If nothing is ready, and the server would sleep, it says so and does not turn.
        `timeout`: let a wait that has a timeout run into it.

        Raises Crashed if the server has ended by itself, RuntimeError if it was stopped or if
        this stepper was never given to start().
        """
        server = self._checked()
        if not self._comes_to_its_wait():
            server.raise_crash()
            return self._shown(Turn(self._elsewhere("no turn")))
        before = self._look()
        if before.sleeps and not (timeout and before.asked.limited):
            until = " until its timeout" if before.asked.limited else ""
            text = f"no turn: nothing is ready, {before.asked.name} would sleep{until}"
            return self._shown(Turn(text + "\n" + "\n".join(self._seen(before))))
        number = self.turns
        self._calls, self._named = [], {}
        self.allowed = number
        back = self._comes_to_its_wait()
        return self._shown(self._told(number, before, back))

    def look(self) -> Turn:
        """What step() would find: whom the server waits for, who is ready, what lies where."""
        server = self._checked()
        if not self._comes_to_its_wait():
            server.raise_crash()
            return Turn(self._elsewhere("no look"))
        look = self._look()
        lines = [f"before turn {self.turns} of the {server.name} server"]
        return Turn("\n".join([*lines, *self._seen(look)]))

    def buttons(self) -> "Panel":
        """Buttons for JupyterLab: step, connect, send, close, reset.  As text: look()."""
        panel = Panel(self)
        self._panels.append(panel)
        return panel

    def _shown(self, turn: Turn) -> Turn:
        for panel in self._panels:
            panel.refresh(turn.text)
        return turn

    def _checked(self) -> Server:
        if self.server is None:
            raise RuntimeError("give this stepper to a server first: start(serve, stepper)")
        self.server.raise_crash()
        if self.server.stopping:
            raise RuntimeError(f"the {self.server.name} server has been stopped")
        return self.server

    # -- looking -------------------------------------------------------------------------

    def _look(self) -> Look:
        """The same in two looks: what was sent a moment ago may still be on its way."""
        look, last = self._glance(), None
        for _ in range(100):
            if look == last:
                break
            time.sleep(0.001)
            look, last = self._glance(), look
        return look

    def _glance(self) -> Look:
        asked = self._asked
        assert asked is not None
        assert self.server is not None
        interest: dict[str, int] = {}
        try:
            if asked.poller is None:
                watched = each_of_three(asked.args[:3])
                ready = self._answered(REAL["select"](*asked.args[:3], 0))
                returns = bool(ready)
            elif isinstance(asked.poller, TracedPoll):
                watched = list(asked.poller.interest.items())
                ready = self.by_role(asked.poller.real.poll(0))
                returns = bool(ready)
            else:
                epoll = asked.poller.real.fileno()
                watched = list(entries(epoll).items())
                returns = bool(polled(epoll, IN))  # asks, and takes nothing off its list
                ready = self.by_role(asked_one_by_one(watched)) if returns else {}
        except (OSError, ValueError, TypeError):  # so will the call itself
            return Look(asked, interest, {}, True, True, self._states())
        for one, events in watched:
            role = self.role(one)
            interest[role] = interest.get(role, 0) | events
        return Look(asked, interest, ready, returns, False, self._states())

    def _states(self) -> dict[str, State]:
        """The listener's and every client's, in order; of those that are closed by now, none."""
        assert self.server is not None
        found = {}
        for sock in [self.server.listener, *self.server.accepted()]:
            role = getattr(sock, "who", "listener")
            with contextlib.suppress(OSError, ValueError):
                (count,) = unread([sock])
                events = polled(sock.fileno(), IN | OUT | PRI | RDHUP)
                found[role] = State(count, self._unsent.get(role, 0), events)
        return {role: found[role] for role in sorted(found, key=in_order)}

    # -- telling -------------------------------------------------------------------------

    def _told(self, number: int, before: Look, back: bool) -> Turn:
        assert self.server is not None
        calls, ready = list(self._calls), dict(self._named)
        told = [str(call) for call in calls]
        if len(told) > MOST_CALLS:
            told[MOST_CALLS // 2 : -MOST_CALLS // 2] = [f"... {len(told) - MOST_CALLS} more ..."]
        lines = [f"turn {number} of the {self.server.name} server"]
        lines += list_entry("interest", [listed_lines(before.interest)])
        lines += list_entry("ready", self._reasons(ready, before))
        lines += list_entry("calls", told)
        if back:
            assert self._asked is not None
            lines += list_entry("next", [str(self._asked)])
        else:
            lines += list_entry("then", [self._elsewhere("").lstrip(": ")])
        lines += table(before.states, self._states())
        return Turn("\n".join(lines), True, calls)

    def _seen(self, look: Look) -> Iterator[str]:
        yield from list_entry("interest", [listed_lines(look.interest)])
        edge = any(events & select.EPOLLET for events in look.interest.values())
        if look.fails:
            yield from list_entry("ready", ["the call will fail"])
        elif look.returns and edge:
            yield from list_entry(
                "ready", ["one at least: an edge has come, epoll_wait will say which"]
            )
        else:
            yield from list_entry("ready", self._reasons(look.ready, look))
        yield from table(look.states, look.states)

    def _reasons(self, ready: dict[str, int], look: Look) -> list[str]:
        """Who is ready, for what, and why."""
        if not ready:
            return ["none" if look.asked.timeout != 0 else "none, but its timeout is 0"]
        return [
            f"{role} {flag_names(ready[role])}{reason(role, ready[role], look.states.get(role))}"
            for role in sorted(ready, key=in_order)
        ]

    def _elsewhere(self, what: str) -> str:
        """Why the server is not at its wait."""
        assert self.server is not None
        server = self.server
        if server.crash:
            return f"{what}: {server.crash}"
        if server.ended or server.stopping:
            return f"{what}: the {server.name} server has been stopped"
        return f"{what}: the {server.name} server has not stopped at a gate: {server.where_is()}"


def polled(fd: int, events: int) -> int:
    """What poll(2) says of one descriptor now."""
    poller = REAL["poll"]()
    poller.register(fd, events)
    answer: dict[int, int] = dict(poller.poll(0))
    return answer.get(fd, 0)


def asked_one_by_one(watched: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Which entries of an epoll instance are ready, as far as it does not matter since when."""
    known = IN | PRI | OUT | RDHUP
    answers = [(fd, polled(fd, events & known)) for fd, events in watched if events & known]
    return [(fd, events) for fd, events in answers if events]


def reason(role: str, events: int, state: State | None) -> str:
    """Why the kernel says so, in words; nothing where that cannot be told."""
    if state is None:
        return ""
    if role == "listener":
        return f": {amount(state.unread, 'client')} to accept" if state.unread else ""
    if state.events & ERR:
        return ": it has reset the connection"
    why = []
    if events & (IN | HUP | RDHUP):
        if state.unread:
            why.append(f"{amount(state.unread, 'byte')} to read")
        if state.events & RDHUP:
            why.append("the end of what it sends")
    if events & PRI:
        why.append("an urgent byte")
    if events & OUT:
        why.append("room to send")
    return f": {', '.join(why)}" if why else ""


def list_entry(label: str, lines: list[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield f"{'' if number else label:{MARGIN}}{line}".rstrip()


def listed_lines(interest: dict[str, int]) -> str:
    """Roles and events in order; three and more clients in a row are told together."""
    runs: list[list[Any]] = []  # [first role, last role, number of the last, events]
    for role in sorted(interest, key=in_order):
        _, number, _ = in_order(role)
        events = flag_names(interest[role])
        if runs and number > 1 and runs[-1][2:] == [number - 1, events]:
            runs[-1][1:3] = role, number
        else:
            runs.append([role, role, number, events])
    told = []
    for first, last, number, events in runs:
        count = number - in_order(first)[1] + 1
        if count > 2:
            told.append(f"{first} to {last} {events}")
        else:
            told += [f"{role} {events}" for role in dict.fromkeys((first, last))]
    return ", ".join(told) or "none"


def became(was: int, now: int) -> str:
    return f"{was} -> {now}" if was != now else f"{now}"


def table(before: dict[str, State], after: dict[str, State]) -> list[str]:
    """What lies where for each client, and what has become of it."""
    rows = []
    quiet = 0
    roles = [role for role in {**before, **after} if role != "listener"]
    for role in sorted(roles, key=in_order):
        was, now = before.get(role), after.get(role)
        if len(roles) > MOST_CLIENTS and was and now and not any(was[:2] + now[:2]):
            quiet += 1
            continue
        if now is None:
            assert was is not None
            lost = f"{was.unsent} lost" if was.unsent else ""
            rows.append((role, f"{was.unread} -> closed", lost))
        else:
            before_it = was or now
            unread = became(before_it.unread, now.unread)
            rows.append((role, unread, became(before_it.unsent, now.unsent)))
    wide = len(UNREAD) + 3
    lines = [("bytes", UNREAD, UNSENT), *rows] if rows else []
    told = [f"{name:{MARGIN}}{unread:{wide}}{unsent}".rstrip() for name, unread, unsent in lines]
    return told + ([f"{'':{MARGIN}}{amount(quiet, 'client')} more: nothing"] if quiet else [])
