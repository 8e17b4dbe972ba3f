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
import html
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from echo.lab import kernel
from echo.lab.background import PATIENCE, Client, Crashed, Server, amount
from echo.lab.sockets import entries
from echo.lab.trace import FLAGS, REAL, Call, Tape, TracedEpoll, TracedPoll, flags, in_order

IN, PRI, OUT, ERR, HUP, RDHUP = (
    getattr(select, f"POLL{name}", 0) for name in ("IN", "PRI", "OUT", "ERR", "HUP", "RDHUP")
)
BITS = {name: bit for bit, name in FLAGS.items()}
STEPPED = {"pselect6", "poll", "epoll_wait"}  # the calls that have a gate
UNREAD, UNSENT = "unread in the kernel", "unsent in the server"
MARGIN = 12  # columns, where the text of each line begins
MOST_CALLS = 40  # of one turn are shown
MOST_CLIENTS = 8  # are shown though nothing lies there for them


class Asked(NamedTuple):
    """A call that waits, before it is made."""

    name: str
    who: str
    args: tuple
    poller: TracedPoll | TracedEpoll | None  # None: select(), whose sets are in `args`
    timeout: float | None

    @property
    def limited(self) -> bool:
        """Whether it ends at some time though nothing comes."""
        return self.timeout is not None and self.timeout >= 0

    def __str__(self) -> str:
        limit = (", with timeout 0" if self.timeout == 0 else ", with a timeout") * self.limited
        return f"{self.name}({self.who}){limit}"


class State(NamedTuple):
    """What the kernel and the server hold for one of its sockets."""

    unread: int  # bytes not read yet (FIONREAD); of the listener, clients not accepted yet
    unsent: int  # bytes received from the client and not sent back, by the tape
    events: int  # what poll() says of it, whatever the server waits for


class Look(NamedTuple):
    """What can be seen while the server stands before its wait."""

    asked: Asked
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
        self._asked: Asked | None = None
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
        who: str,
        make: Callable,
        *args: Any,
        show: Callable = str,
    ) -> Any:
        server = self.server
        if server is None or threading.current_thread() is not server.thread:
            return super().wait(poller, timeout, name, who, make, *args, show=show)

        def answering(*args: Any) -> Any:
            answer = make(*args)
            self._named = self._by_role(answer)
            return answer

        self.waited = True
        self._asked = Asked(name, who, args, poller, timeout)
        self.turns += 1
        while self.allowed < self.turns and not self._open:
            self._bell.acquire()
        return super().wait(poller, timeout, name, who, answering, *args, show=show)

    def _by_role(self, answer: Any) -> dict[str, int]:
        """What select() or a poll() has returned, as {role: events}."""
        pairs = each_of_three(answer) if isinstance(answer, tuple) else answer
        found: dict[str, int] = {}
        for one, events in pairs:
            role = self.role(one)
            found[role] = found.get(role, 0) | events
        return found

    def _write(self, start: float, name: str, who: str, result: str) -> None:
        super()._write(start, name, who, result)
        self._calls.append(Call(start, time.perf_counter(), name, who, result))
        if name in ("recvfrom", "sendto") and result.isdigit():
            sign = 1 if name == "recvfrom" else -1
            self._unsent[who] = self._unsent.get(who, 0) + sign * int(result)

    # -- the gate ------------------------------------------------------------------------

    def at_gate(self) -> dict[int, str]:
        server, asked = self.server, self._asked
        if server is None or asked is None or self._open or self.allowed >= self.turns:
            return {}
        return {} if server.ended else {server.thread.native_id or 0: asked.name}

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
            rests = kernel.rests(self.server.tids())
        except kernel.NotTold:
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
                ready = self._by_role(REAL["select"](*asked.args[:3], 0))
                returns = bool(ready)
            elif isinstance(asked.poller, TracedPoll):
                watched = list(asked.poller._interest.items())
                ready = self._by_role(asked.poller._real.poll(0))
                returns = bool(ready)
            else:
                epoll = asked.poller._real.fileno()
                watched = [(fd, bits(text)) for fd, text in entries(epoll).items()]
                returns = bool(polled(epoll, IN))  # asks, and takes nothing off its list
                ready = self._by_role(asked_one_by_one(watched)) if returns else {}
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
                (unread,) = kernel.unread([sock])
                events = polled(sock.fileno(), IN | OUT | PRI | RDHUP)
                found[role] = State(unread, self._unsent.get(role, 0), events)
        return {role: found[role] for role in sorted(found, key=in_order)}

    # -- telling -------------------------------------------------------------------------

    def _told(self, number: int, before: Look, back: bool) -> Turn:
        assert self.server is not None
        calls, ready = list(self._calls), dict(self._named)
        told = [str(call) for call in calls]
        if len(told) > MOST_CALLS:
            told[MOST_CALLS // 2 : -MOST_CALLS // 2] = [f"... {len(told) - MOST_CALLS} more ..."]
        lines = [f"turn {number} of the {self.server.name} server"]
        lines += entry("interest", [listed(before.interest)])
        lines += entry("ready", self._reasons(ready, before))
        lines += entry("calls", told)
        if back:
            assert self._asked is not None
            lines += entry("next", [str(self._asked)])
        else:
            lines += entry("then", [self._elsewhere("").lstrip(": ")])
        lines += table(before.states, self._states())
        return Turn("\n".join(lines), True, calls)

    def _seen(self, look: Look) -> Iterator[str]:
        yield from entry("interest", [listed(look.interest)])
        edge = any(events & BITS["ET"] for events in look.interest.values())
        if look.fails:
            yield from entry("ready", ["the call will fail"])
        elif look.returns and edge:
            yield from entry("ready", ["somebody: an edge has come, epoll_wait will say whose"])
        else:
            yield from entry("ready", self._reasons(look.ready, look))
        yield from table(look.states, look.states)

    def _reasons(self, ready: dict[str, int], look: Look) -> list[str]:
        """Who is ready, for what, and why."""
        if not ready:
            return ["nobody" if look.asked.timeout != 0 else "nobody, but with timeout 0 it turns"]
        return [
            f"{role} {flags(ready[role])}{reason(role, ready[role], look.states.get(role))}"
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
        return (
            f"{what}: the {server.name} server is at no wait with a gate, but {server.where_is()}"
        )


class Panel:
    """The stepper as buttons; its text, which is stored and compared, is look().

    Buttons send, close and reset for the clients that connect() has made, and for its own.
    Without ipywidgets only the text is there.
    """

    def __init__(self, stepper: Stepper) -> None:
        self.stepper = stepper
        self.own: list[Client] = []  # or they would be collected
        self.view: Any = None
        self.text = str(stepper.look())
        with contextlib.suppress(ImportError):
            self._build()

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        bundle = {} if self.view is None else dict(self.view._repr_mimebundle_())
        return {**bundle, "text/plain": self.text}

    def _build(self) -> None:
        import ipywidgets

        self.report = ipywidgets.HTML()
        self.chosen = ipywidgets.ToggleButtons(  # of a list, JupyterLab takes the arrow keys away
            description="From:",
            options=[],
            style={"button_width": "auto", "description_width": "3.5em"},
            layout={"width": "auto"},
        )
        self.message = ipywidgets.Text(
            "hello",
            description="Text:",
            style={"description_width": "3.5em"},
            layout={"width": "14em"},
        )
        actions = [
            ("Step", "one turn of the server's loop", self._step),
            ("Connect", "one client more", self._connect),
            ("Send", "the text, from the chosen client", self._send),
            ("Close", "the chosen client's socket", self._close),
            ("Reset", "the chosen client's connection", self._reset),
        ]
        made = [self._button(ipywidgets, *action) for action in actions]
        self.view = ipywidgets.VBox(
            [
                ipywidgets.HBox(made[:2]),
                self.chosen,
                ipywidgets.HBox([self.message, *made[2:]], layout=WRAPS),
                self.report,
            ]
        )
        self.refresh(self.text)

    def _button(self, ipywidgets: Any, name: str, tooltip: str, act: Callable[[], str]) -> Any:
        button = ipywidgets.Button(description=name, tooltip=f"{name}: {tooltip}")

        def pressed(_: Any) -> None:
            try:
                text = act()
            except (Crashed, OSError, RuntimeError) as error:
                text = f"{name} was not possible: {error}"
            self.refresh(text)

        button.on_click(pressed)
        return button

    def refresh(self, text: str) -> None:
        """Show a text, and which clients there are now."""
        self.text = text
        if self.view is None:
            return
        self._offer(self.chosen.value)
        self.report.value = REPORT.format(html.escape(text))

    def _offer(self, chosen: Client | None) -> None:
        """Put every client on the list, and choose this one, or else the latest."""
        options = self._clients()
        if list(self.chosen.options) != options:
            self.chosen.options = options
        known = [client for _, client in options]
        self.chosen.value = chosen if chosen in known else (known or [None])[-1]

    def _clients(self) -> list[tuple[str, Client]]:
        """Pairs of what the server calls a client, or will, and the client's own socket."""
        server = self.stepper.server
        assert server is not None
        known = {}
        for sock in server.accepted():
            with contextlib.suppress(OSError):
                known[sock.getpeername()] = getattr(sock, "who", "client")
        waiting = 0
        pairs = []
        for client in server.clients():
            with contextlib.suppress(OSError):
                role = known.get(client.getsockname())
                if role is None:
                    waiting += 1
                    role = f"client {server.arrived + waiting}"
                pairs.append((role, client))
        return pairs

    # -- what the buttons do ---------------------------------------------------------------

    def _step(self) -> str:
        return str(self.stepper.step())

    def _connect(self) -> str:
        server = self.stepper._checked()
        self.own.append(server.connect())
        self._offer(self.own[-1])
        return f"{self._name(self.own[-1])} has connected\n{self.stepper.look()}"

    def _send(self) -> str:
        client, name = self._one()
        data = self.message.value.encode()
        count = client.send(data) if data else 0
        return f"{name} has sent {amount(count, 'byte')}\n{self.stepper.look()}"

    def _close(self) -> str:
        client, name = self._one()
        client.close()
        return f"{name} has closed its socket\n{self.stepper.look()}"

    def _reset(self) -> str:
        client, name = self._one()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        return f"{name} has reset its connection\n{self.stepper.look()}"

    def _one(self) -> tuple[Client, str]:
        client = self.chosen.value
        if client is None:
            raise RuntimeError("there is no client; press Connect")
        return client, self._name(client)

    def _name(self, client: Client) -> str:
        return next((name for name, one in self._clients() if one is client), "a client")


# aria-live: a screen reader says what a button has done.  The colours are JupyterLab's own.
REPORT = """<pre role="status" aria-live="polite" aria-label="What the server did"
style="margin: 0; padding: .5em 0; line-height: 1.4; white-space: pre-wrap; background: none;
color: var(--jp-content-font-color1, inherit)">{}</pre>"""
WRAPS = {"flex_flow": "row wrap"}


def each_of_three(sets: Iterable[Iterable]) -> list[tuple[Any, int]]:
    """The three sets of select() as pairs: what is in them, and the flag of poll() for it."""
    return [(one, flag) for flag, each in zip((IN, OUT, PRI), sets, strict=True) for one in each]


def bits(text: str) -> int:
    """The flags that "IN|ET" names."""
    return sum(BITS.get(name, 0) for name in text.split("|"))


def polled(fd: int, events: int) -> int:
    """What poll(2) says of one descriptor now."""
    poller = REAL["poll"]()
    poller.register(fd, events)
    return dict(poller.poll(0)).get(fd, 0)


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


def entry(label: str, lines: list[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield f"{'' if number else label:{MARGIN}}{line}".rstrip()


def listed(interest: dict[str, int]) -> str:
    """Roles and events in order; three and more clients in a row are told together."""
    runs: list[list[Any]] = []  # [first role, last role, number of the last, events]
    for role in sorted(interest, key=in_order):
        _, number, _ = in_order(role)
        events = flags(interest[role])
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
    return ", ".join(told) or "nobody"


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
            pairs = zip((was or now)[:2], now[:2], strict=True)
            rows.append((role, *(f"{a} -> {b}" if a != b else f"{b}" for a, b in pairs)))
    wide = len(UNREAD) + 3
    lines = [("bytes", UNREAD, UNSENT), *rows] if rows else []
    told = [f"{name:{MARGIN}}{unread:{wide}}{unsent}".rstrip() for name, unread, unsent in lines]
    return told + ([f"{'':{MARGIN}}{amount(quiet, 'client')} more: nothing"] if quiet else [])
