"""Run a server in a background thread, be its client, stop it, and know when it is at rest.

    with start(select_server.serve) as server:
        client = server.connect()
        client.send(b"hello")
        client.recv(100)

A server is any function serve(listener) that never returns.  It is given a listening socket
that remembers whom it has accepted; nothing else about it is changed.
"""

import contextlib
import inspect
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

from echo.lab.kernel.processes import ThreadState, epolls, thread_state, touched
from echo.lab.kernel.sleep import NotTold, all_asleep, sleeping, times_slept, waits_for_signal
from echo.lab.kernel.sockets import ends_here, held_by_the_kernel
from echo.lab.kernel.where import in_words
from echo.lab.notebook import current_cell, hide_our_frames
from echo.lab.run.clients import bind
from echo.lab.run.ends import Client, Listener, Sockets, hang_up, open_ones, remember
from echo.lab.run.faults import Flood, Full, Gate, renumbered
from echo.lab.run.process import NotAsked
from echo.lab.run.rest import PATIENCE, SPINS, asks_in_vain, nothing_moves, unread_by
from echo.lab.run.threads import (
    RETURNED,
    Crashed,
    Threads,
    ignore_sigio,
    lock,
    owners,
    real_start,
    start_and_own,
)
from echo.ring import Ring

MSG_RING = 40  # IORING_OP_MSG_RING, Linux 5.18
BACKLOG = 4096  # ten thousand clients at once need it: the kernel drops who does not fit
REACTION = 1.0  # seconds that a client of ours waits for the server to finish reacting
servers: dict["Server", None] = {}  # those not ended yet, in order of start
all_clients: Sockets = []  # of all servers, ended ones as well


class Server:
    """A server that runs in a thread of this process; made by start()."""

    def __init__(
        self,
        serve: Callable[..., Any],
        tape: Any = None,
        buffer: int | None = None,
        code: Callable[..., Any] | None = None,
    ) -> None:
        """`code`: the function whose lines are told and whose names are recorded, if not serve."""
        self.serve = checked(serve)
        self.code = code or self.serve
        self.tape = tape
        self.buffer = buffer
        self.name = name_of(serve)
        self.stopping = False
        self.asked_in_vain = 0
        self.arrived = 0  # clients accepted so far
        self.roles: dict[int, str] = {}  # descriptor -> "listener", "client 1", ...
        self.gate = Gate()  # shut inside hold()
        self.full: Full | None = None
        self.flooding: Flood | None = None
        self.lowest = 0  # accepted sockets get descriptors from this number on
        self.threads = Threads(self)
        self._accepted: Sockets = []
        self._clients: Sockets = []
        self._others_epolls = epolls()
        self.cell, self.run = current_cell()
        hide_our_frames()
        for other in list(servers):  # the same cell once more: its server of last time ends
            if self.cell is not None and other.cell == self.cell and other.run != self.run:
                other.end()

        ignore_sigio()
        self.listener = Listener()
        self.listener.server = self
        with lock:
            servers[self] = None
            setattr(threading.Thread, "start", start_and_own)  # noqa: B010  # mypy: no such assignment
        try:
            self._listen()
            if tape is not None:
                tape.attach(self)
            self.threads.begin(self._serve, self.name)
            self._react()
        except BaseException:  # an interrupt, say: nobody else knows this server yet
            self.end()
            raise

    def _listen(self) -> None:
        if self.buffer:
            for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):  # accepted sockets inherit them
                self.listener.setsockopt(socket.SOL_SOCKET, option, self.buffer)
        bind(self.listener)
        self.listener.listen(BACKLOG)
        self.address = self.listener.getsockname()
        self.roles[self.listener.fileno()] = "listener"

    # -- the server's own threads -------------------------------------------------------

    def _serve(self) -> None:
        try:
            self.serve(self.listener)
            if not self.stopping:
                self.threads.crash = RETURNED
        finally:
            self.threads.report(sys.exc_info()[1])
            if self.tape is not None:
                self.tape.detach(self)
            self.hang_up()
            if self.stopping and len(self.threads) == 1:  # it had no time to close them itself
                for sock in self.accepted():
                    socket.socket.close(sock)

    def adopt(self, sock: socket.socket) -> socket.socket:
        """Note an accepted socket; on a tape it becomes one that writes down its calls."""
        if self.lowest:
            sock = renumbered(sock, self.lowest)
        self.arrived += 1
        self.roles[sock.fileno()] = f"client {self.arrived}"
        if self.flooding is not None:
            sock = self.flooding.socket(sock)
        elif self.tape is not None:
            sock = self.tape.socket(sock)
        remember(self._accepted, sock)
        return sock

    # -- what the bench and the suite ask of it -----------------------------------------

    can_send = can_receive = 0  # what the kernel holds beyond small buffers, see run/process.py

    @property
    def crash(self) -> str | None:
        """How it ended, if it ended by itself."""
        return self.threads.crash

    def settle(self, patience: float = PATIENCE) -> None:
        """Return when the server has finished reacting to whatever has happened so far.

        It has when each of its threads sleeps in a wait for which nothing is ready.  A server
        that never sleeps has when it has twice asked for clients in vain while nothing lay unread,
        or when it has computed for SPINS seconds and not taken or fetched anything.
        Raises TimeoutError after `patience` seconds.
        """
        deadline = time.monotonic() + patience
        asked = self.asked_in_vain
        computed, unread = self.cpu(), None
        while not self.ended:
            try:
                tids = self.free_tids()
                if all_asleep([*tids]) and tids == self.free_tids():  # no thread was born
                    return
                never_sleeps = self.asked_in_vain - asked > 2
                if never_sleeps and asks_in_vain(self):
                    return
                if self.cpu() - computed > SPINS:
                    before, unread = unread, unread_by(self)
                    if unread == before:
                        return
                    computed = self.cpu()
            except NotTold:
                if nothing_moves(self, seconds=0.05):
                    return
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"the {self.name} server is still busy after {patience:g} seconds"
                )
            time.sleep(0.0005)  # lets go of the GIL

    def where_is(self) -> str:
        """What its threads are doing now, see kernel.where.where_is()."""
        while tids := [] if self.ended else self.tids():
            held = self.held()
            if set(tids) == set(held):
                return f"at the gate of its stepper, before {', '.join(held.values())}"
            with contextlib.suppress(ProcessLookupError):  # one thread fewer: look again
                return in_words(tids, self.roles)
        return "ended"

    def catch_up(self) -> None:
        """Its queue has BACKLOG places: nobody need wait until it has accepted others."""

    def owes(self, client: socket.socket, sent: int) -> bool:
        """Whether it has read, when it comes to rest, what it cannot give back to the kernel."""
        with contextlib.suppress(TimeoutError):
            self.settle()
        held = self.kernel_holds(client)
        return held is not None and sent > held

    def kernel_holds(self, client: socket.socket) -> int | None:
        """Bytes of this connection that the kernel has, in either direction; None: it has ended.

        Asked of the kernel by the connection's port: who has accepted it, and how, is not known
        of a server whose clients a ring accepts.
        """
        return held_by_the_kernel(client, self.address[1])

    def look(self) -> dict[int, ThreadState]:
        """Each of its threads, by number."""
        looks = {tid: thread_state(tid) for tid in self.tids()}
        return {tid: look for tid, look in looks.items() if look}

    def make_room(self) -> None:
        """Who leaves has left his descriptor."""

    def refused(self) -> bool:
        """Whether accept() has failed with EMFILE and nothing has been accepted since."""
        return self.full is not None and self.full.open is not None

    def connect(self) -> Client:
        """A client's socket, connected; every wait of it ends after 5 seconds."""
        client = Client()
        client.server = self
        client.settimeout(5)
        remember(self._clients, client)
        remember(all_clients, client)
        try:
            client.connect(self.address)
        except BaseException:
            socket.socket.close(client)
            raise
        return client

    def accepted(self) -> list[socket.socket]:
        """The sockets accepted so far that are still open."""
        return open_ones(self._accepted)

    def clients(self) -> list[Client]:
        """The sockets made by connect() that are still open."""
        return open_ones(self._clients)

    def tids(self) -> list[int]:
        """The kernel's numbers of the server's threads."""
        return [thread.native_id for thread in self.threads if thread.native_id]

    def free_tids(self) -> set[int]:
        """The same, less those that a Stepper holds at its gate: these are at rest."""
        return set(self.tids()) - set(self.held())

    def held(self) -> dict[int, str]:
        """Threads that a Stepper holds -> the call that each is about to make."""
        return {} if self.tape is None else self.tape.at_gate()

    def cpu(self) -> float:
        """Seconds of processor time used by the server's threads that live now."""
        seconds = 0.0
        for thread in self.threads.running():
            with contextlib.suppress(OSError):  # it has ended
                seconds += time.clock_gettime(time.pthread_getcpuclockid(thread.ident or 0))
        return seconds

    def times_slept(self) -> int:
        """How often the server's threads have gone to sleep so far."""
        return sum(map(times_slept, self.tids()))

    def allow(self, clients: int) -> None:
        """Its descriptors are those of this process."""

    def complains(self) -> str | None:
        """What it writes on stderr is ours as well, and stands where that does."""
        return None

    def memory(self) -> int | None:
        """Bytes of memory that this process, whose part it is, has touched."""
        return touched()

    def descriptors(self) -> int:
        """How many descriptors it holds: listener, accepted sockets, epoll instances."""
        listening = self.listener.fileno() >= 0
        ends = len(self.accepted()) if self.arrived else len(ends_here(self.address[1]))
        return listening + ends + len(epolls() - self._others_epolls)

    def _needs_accept(self, what: str) -> None:
        """Raises NotAsked if its clients have not come through accept(), but through a ring."""
        if not self.arrived and ends_here(self.address[1]):
            raise NotAsked(
                f"only accept() can be made to {what} here, and its clients come another way "
                "(through a ring, say)"
            )

    def run_out_of_descriptors(self, but_for: Iterable[int] = ()) -> None:
        """From now on accept() fails with EMFILE, until the server closes a descriptor.

        `but_for`: descriptors that are not the server's, beside those of connect()'s clients.
        Raises NotAsked if it does not call accept().
        """
        self._needs_accept("fail")
        self.full = Full({*but_for, *(client.fileno() for client in self.clients())})

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Inside the block accept() waits: the server sees new clients only afterwards.

        So whatever they do inside has happened before the server's first look at them.
        """
        self.gate.reached, self.gate.shut = False, True
        try:
            yield
        finally:
            self.gate.shut = False
            self._react()

    @contextlib.contextmanager
    def number_descriptors_from(self, lowest: int) -> Iterator[None]:
        """Inside the block, accepted sockets have descriptors from `lowest` on.  Or NotAsked."""
        self._needs_accept("return a high descriptor")
        if (most := resource.getrlimit(resource.RLIMIT_NOFILE)[0]) <= lowest:
            raise NotAsked(f"no more than {most} descriptors are allowed here")
        self.lowest = lowest
        try:
            yield
        finally:
            self.lowest = 0

    @contextlib.contextmanager
    def flood(self) -> Iterator["Flood"]:
        """Inside the block, whoever is accepted always has more to say."""
        self.flooding = flood = Flood()
        try:
            yield flood
        finally:
            self.flooding, flood.over = None, True

    @property
    def ended(self) -> bool:
        """Whether all of its threads have ended."""
        return not self.threads.running()

    def _react(self) -> None:
        """Wait until the server has finished reacting; let it be if it does not."""
        if not self.gate.shut and threading.get_ident() not in owners and not self.stopping:
            with contextlib.suppress(TimeoutError):
                self.settle(REACTION)

    # -- the end ------------------------------------------------------------------------

    def hang_up(self) -> None:
        """Wake whoever sleeps on one of the server's sockets: it finds the end of input."""
        for sock in self.accepted():
            hang_up(sock)
        hang_up(self.listener)
        self._signal()
        self._ring()

    def _ring(self) -> None:
        """Wake who sleeps in io_uring_enter() for operations that never end.

        Another ring sends a result to the one that the kernel says it sleeps on.  So the queues
        of that ring stay its thread's alone: two threads that write entries ruin them.
        """
        for thread in self.threads.running():
            with contextlib.suppress(NotTold, OSError):
                sleep = sleeping(thread.native_id or 0)
                if sleep is not None and sleep.call == "io_uring_enter":
                    with contextlib.closing(Ring()) as bell:
                        bell.submit(MSG_RING, sleep.arguments[0])
                        list(bell.wait())

    def _signal(self) -> None:
        """Wake who sleeps until SIGIO comes: shutdown() sends none (net/ipv4/af_inet.c)."""
        if signal.getsignal(signal.SIGIO) == signal.SIG_DFL:
            return  # it would end the process if it reached a thread that is not waiting
        with lock:  # as long as we hold it, none of these threads can leave
            for thread in self.threads.running():
                if waits_for_signal(thread.native_id or 0, signal.SIGIO):
                    signal.pthread_kill(thread.ident or 0, signal.SIGIO)

    def end(self) -> bool:
        """Stop without a word; False if a thread would not end within PATIENCE."""
        self.stopping = True
        self.gate.shut = False
        if self.tape is not None:
            self.tape.open_gate(self)
        deadline = time.monotonic() + PATIENCE
        for sock in self.accepted():
            hang_up(sock)
        pause = time.monotonic() + 0.03  # time for a framework to close its connections itself
        while self.accepted() and not self.ended and time.monotonic() < pause:
            self._signal()  # who was about to sleep has missed it
            time.sleep(0.001)
        while not self.threads.deaf() and time.monotonic() < deadline:
            self.hang_up()
            moment = time.monotonic() + 0.05
            while not self.threads.deaf() and time.monotonic() < moment:
                time.sleep(0.001)
            for thread in self.threads:  # it looks at no socket, or not at what it says
                self.threads.tell(thread)
        if self.tape is not None:
            self.tape.detach(self)
        for sock in [self.listener, *self.accepted()]:  # also of a thread that stays, asleep
            socket.socket.close(sock)
        if not self.ended:
            return False
        with lock:
            servers.pop(self, None)
            if not servers:
                setattr(threading.Thread, "start", real_start)  # noqa: B010
        return True

    def stop(self) -> None:
        """End the server.  Raises Crashed if it had ended by itself before."""
        ended = self.end()
        self.raise_crash()
        if not ended:
            raise RuntimeError(
                f"the {self.name} server does not stop: does it swallow every exception, "
                "with a bare `except:`, or sleep somewhere else?"
            )

    def raise_crash(self) -> None:
        if self.crash is not None:
            raise Crashed(self.crash) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or (issubclass(kind, Exception) and not issubclass(kind, Crashed)):
            self.stop()
        else:  # an interrupt is not to be held up, and a crash has been told
            self.end()

    def __repr__(self) -> str:
        state = self.crash or ("stopped" if self.stopping else "running in the background")
        return f"<{self.name} server, {state}>"


def start(serve: Callable[..., Any], tape: Any = None, buffer: int | None = None) -> Server:
    """Run serve(listener) in a background thread, on a free port of 127.0.0.1.

    `tape`: a Tape on which its system calls are recorded.  `buffer`: size in bytes of the
    kernel's socket buffers on the server's side; by default they hold megabytes.

    The server runs until its `with` block ends, stop() is called, or the same cell of a
    notebook is run again.
    """
    return Server(serve, tape, buffer)


def checked(serve: Any) -> Callable[..., Any]:
    if not callable(serve):
        hint = f": {name_of(serve)}_server.serve" if inspect.ismodule(serve) else ""
        if not hint:  # serve(listener) has been called, and that is what it has returned
            hint = f", and not {serve!r}: write its name, without brackets"
        raise TypeError(f"start() takes the function serve(listener){hint}")
    if inspect.iscoroutinefunction(serve):
        raise TypeError(
            "start() takes a plain function; for a coroutine: "
            "start(lambda listener: asyncio.run(serve(listener)))"
        )
    function: Callable[..., Any] = serve
    return function


def name_of(serve: Any) -> str:
    module = str(getattr(serve, "__module__", None) or getattr(serve, "__name__", "?"))
    if module == "__main__":
        return f"{serve.__name__}()" if hasattr(serve, "__name__") else "your"
    return module.rpartition(".")[2].removesuffix("_server")
