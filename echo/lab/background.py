"""Run a server in a background thread, be its client, stop it, and know when it is at rest.

    with start(select_server.serve) as server:
        client = server.connect()
        client.send(b"hello")
        client.recv(100)

A server is any function serve(listener) that never returns.  It is given a listening socket
that remembers whom it has accepted; nothing else about it is changed.
"""

import contextlib
import ctypes
import errno
import fcntl
import inspect
import itertools
import os
import resource
import signal
import socket
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from echo.lab import kernel
from echo.lab.tracebacks import hide_our_frames

BACKLOG = 4096  # ten thousand clients at once need it: the kernel drops who does not fit
PATIENCE = 2.0  # seconds in which a server must have noticed that it should stop
ACCEPTANCE = 10.0  # seconds for thousands of clients to be accepted
REACTION = 1.0  # seconds that a client of ours waits for the server to finish reacting
LASTS = 0.02  # seconds that a state must last to be told by watch()
SPINS = 0.03  # seconds of processor time after which we ask whether it moves anything at all
RETURNED = "serve() returned, but a server runs for ever"
RESTLESS = 100  # times a second that nobody needs to wake up who waits for something to happen

_servers: dict["Server", None] = {}  # those not ended yet, in order of start
_owners: dict[int, "Server"] = {}  # thread ident -> the server on whose behalf it runs
_clients: list[weakref.ref] = []  # of all servers, ended ones as well
_lock = threading.RLock()


class Stopped(SystemExit):
    """Ends the server's thread.  No `except OSError` or `except Exception` swallows it.

    A bare `except:` does.  So a thread that has been told ENOUGH times goes to sleep here, for
    ever: it shall not compute beside whatever comes next.
    """

    ENOUGH = 20

    def __init__(self) -> None:
        super().__init__()
        ident = threading.get_ident()
        server = _owners.get(ident)
        if server is not None:
            server.told[ident] = told = server.told.get(ident, 0) + 1
            if told >= self.ENOUGH:
                threading.Event().wait()


class Crashed(RuntimeError):
    """The server ended by itself; the message says how, and in which line."""


class Listener(socket.socket):
    """A listening socket on a free port of 127.0.0.1 that remembers whom it has accepted."""

    server: "Server"

    def accept(self) -> tuple[socket.socket, Any]:
        server = self.server
        server.gate.wait()
        if server.full is not None and not server.full.admits():
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        try:
            sock, address = super().accept()
        except BlockingIOError:
            server.asked_in_vain += 1
            raise
        except OSError:
            if not server.stopping:
                raise
            raise Stopped from None
        if server.full is not None:
            server.full.open = None  # the descriptor that was free is taken
        sock = server.adopt(sock)
        if server.stopping:  # it came while we were hanging up
            hang_up(sock)
        return sock, address


class Client(socket.socket):
    """A client's socket.  What it does returns once the server has finished reacting.

    If the server has crashed, recv() and send() say how, instead of an empty answer.
    """

    server: "Server"

    def connect(self, address: Any) -> None:
        self._naming(super().connect, address)
        self.server._react()

    def recv(self, *args: Any) -> bytes:
        data = self._naming(super().recv, *args)
        if data == b"":
            self.server._react()  # it may be about to crash: a `with` closes first
            self.server.raise_crash()
        return data

    def send(self, *args: Any) -> int:
        self.server.raise_crash()  # the kernel would take what nobody will ever read
        count = self._naming(super().send, *args)
        self.server._react()
        return count

    def sendall(self, *args: Any) -> None:
        self.server.raise_crash()
        self._naming(super().sendall, *args)
        self.server._react()

    def shutdown(self, how: int) -> None:
        self._naming(super().shutdown, how)
        self.server._react()

    def close(self) -> None:
        was_open = self.fileno() >= 0
        super().close()
        if was_open:
            self.server._react()

    def _naming(self, call: Callable, *args: Any) -> Any:
        try:
            return call(*args)
        except BlockingIOError:
            raise
        except OSError:
            self.server._react()
            self.server.raise_crash()
            raise


class Begun(threading.Event):
    """Told to whoever starts a thread, which may be interrupted as it hears it.

    An interrupt inside threading.Event, on its way to waiting, can leave the Event's own lock
    closed for ever, and the thread then waits for it instead of beginning.  Here set() needs
    no lock, and wait() is one call.
    """

    def __init__(self) -> None:
        super().__init__()
        self._closed = threading.Lock()
        self._closed.acquire()

    def is_set(self) -> bool:
        return self._flag

    def set(self) -> None:
        if not self._flag:
            self._flag = True
            self._closed.release()

    def wait(self, timeout: float | None = None) -> bool:
        if not self._flag and self._closed.acquire(timeout=-1 if timeout is None else timeout):
            self._closed.release()
        return self._flag


class Gate:
    """Where threads wait while it is shut.

    Whoever opens it may be interrupted: inside threading.Event that can leave the Event's own
    lock closed for ever, and then set() itself never returns.  Here it is one assignment.
    """

    def __init__(self) -> None:
        self.shut = False

    def wait(self) -> None:
        while self.shut:
            time.sleep(0.001)


class Full:
    """Lets the bench's accept() fail with EMFILE as if descriptors had run out.

    A server is let in again for each descriptor closed that was open when it was first
    refused, its spare included.  So a good server recovers and a spinning one spins on.
    """

    def __init__(self, exempt: set[int]) -> None:
        self.exempt = exempt
        self.open: dict[int, tuple[int, int]] | None = None

    def admits(self) -> bool:
        if self.open is None:
            self.open = {fd: what for fd, what in descriptors() if fd not in self.exempt}
            return False
        now = dict(descriptors())
        return any(now.get(fd) != what for fd, what in self.open.items())


class Flood:
    """A client whose kernel always has more: real ones pause, and then nothing can be told."""

    def __init__(self) -> None:
        self.over = False
        self.reads = 0
        self.unanswered = 0  # reads since the last answer
        self.most_unanswered = 0

    def socket(self, sock: socket.socket) -> socket.socket:
        flooded = Flooded(fileno=sock.detach())
        flooded.flood = self
        return flooded


class Flooded(socket.socket):
    """The server's end of a flooding client.  One byte really lies there, unread."""

    flood: Flood

    def recv(self, size: int, *flags: int) -> bytes:
        if self.flood.over:
            return super().recv(size, *flags)
        flood = self.flood
        flood.reads += 1
        flood.unanswered += 1
        flood.most_unanswered = max(flood.unanswered, flood.most_unanswered)
        return b"x" * min(size, 1024)

    def send(self, data: Any, *flags: int) -> int:
        self.flood.unanswered = 0
        return super().send(data, *flags) if self.flood.over else len(data)

    def sendall(self, data: Any, *flags: int) -> None:
        self.flood.unanswered = 0
        if self.flood.over:
            super().sendall(data, *flags)


def descriptors() -> Iterator[tuple[int, tuple[int, int]]]:
    """Each open descriptor of this process, and what it is open on."""
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            status = os.fstat(int(name))
            yield int(name), (status.st_dev, status.st_ino)


class Server:
    """A server that runs in a thread of this process; made by start()."""

    def __init__(self, serve: Callable, tape: Any = None, buffer: int | None = None) -> None:
        self.serve = checked(serve)
        self.tape = tape
        self.buffer = buffer
        self.name = name_of(serve)
        self.crash: str | None = None  # how it ended, if it ended by itself
        self.stopping = False
        self.told: dict[int, int] = {}  # thread ident -> how often Stopped was raised in it
        self.giving_birth: set[int] = set()  # idents of threads that are starting a thread
        self.asked_in_vain = 0
        self.arrived = 0  # clients accepted so far
        self.roles: dict[int, str] = {}  # descriptor -> "listener", "client 1", ...
        self.gate = Gate()  # shut inside hold()
        self.full: Full | None = None
        self.flooding: Flood | None = None
        self.lowest = 0  # accepted sockets get descriptors from this number on
        self.threads: set[threading.Thread] = set()
        self._accepted: list[weakref.ref] = []
        self._clients: list[weakref.ref] = []
        self._others_epolls = epolls()
        self.cell, self.run = current_cell()
        hide_our_frames()
        for other in list(_servers):  # the same cell once more: its server of last time ends
            if self.cell is not None and other.cell == self.cell and other.run != self.run:
                other.end()

        bear_sigio()
        self.thread = threading.Thread(target=self._serve, name=self.name, daemon=True)
        self.listener = Listener()
        self.listener.server = self
        with _lock:
            _servers[self] = None
            threading.Thread.start = start_and_own  # type: ignore[method-assign]
        try:
            self._listen()
            if tape is not None:
                tape.attach(self)
            self._launch(self.thread)
            self._react()
        except BaseException:  # an interrupt, say: nobody else knows this server yet
            self.end()
            raise

    def _listen(self) -> None:
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF) if self.buffer else ():
            self.listener.setsockopt(socket.SOL_SOCKET, option, self.buffer)  # others inherit it
        kernel.bind(self.listener)
        self.listener.listen(BACKLOG)
        self.address = self.listener.getsockname()
        self.roles[self.listener.fileno()] = "listener"

    # -- the server's own threads -------------------------------------------------------

    def _serve(self) -> None:
        try:
            self.serve(self.listener)
            if not self.stopping:
                self.crash = RETURNED
        finally:
            self._report(sys.exc_info()[1])
            if self.tape is not None:
                self.tape.detach(self)
            self.hang_up()
            if self.stopping and len(self.threads) == 1:  # it had no time to close them itself
                for sock in self.accepted():
                    socket.socket.close(sock)

    def _report(self, error: BaseException | None) -> None:
        """Keep what the error says, and not the error: its frames would keep sockets open."""
        if error is not None and not self.stopping and self.crash is None:
            said = str(error)
            if isinstance(error, KeyError) and error.args[0] in self.roles:  # never a number
                said = f"the descriptor of {self.roles[error.args[0]]}"
            text = f"{type(error).__name__}: {said}".rstrip(": ")
            where = place(error, self.serve)
            self.crash = f"the server crashed: {text}{where}"
            if threading.current_thread() is not self.thread:
                self.crash = f"a thread crashed, and the bench ended its server: {text}{where}"

    def _launch(self, thread: threading.Thread) -> None:
        """Start a thread that belongs to this server; whatever it raises is ours to tell."""
        run = thread.run

        def body() -> None:
            _owners[threading.get_ident()] = self
            try:
                if not self.stopping:
                    run()
            except BaseException as error:
                self._report(error)
                if self.crash is not None:  # no client shall wait for an answer in vain
                    self.hang_up()
            finally:
                try:
                    self._leave(thread)
                except Stopped:  # it was told while it was leaving
                    self._leave(thread)

        thread.run = body  # type: ignore[method-assign]
        thread._started = Begun()  # type: ignore[attr-defined]
        self.threads.add(thread)
        ident = threading.get_ident()
        with _lock:
            self.giving_birth.add(ident)
        try:
            _start(thread)
        except RuntimeError:  # can't start new thread
            self.threads.discard(thread)
            raise
        finally:
            with _lock:
                self.giving_birth.discard(ident)

    def _leave(self, thread: threading.Thread) -> None:
        """The last thing that one of the server's threads does."""
        ident = threading.get_ident()
        with _lock:
            self.threads.discard(thread)
            self.told.pop(ident, None)
            _owners.pop(ident, None)
            raise_in(ident, None)

    def _tell(self, thread: threading.Thread) -> None:
        """Raise Stopped in a thread of the server, wherever it is in the server's code.

        Not before: whoever starts it would wait for ever to hear that it has begun.  Not after:
        by then its ident may be another's.  Not while it starts a thread itself: until that
        runs it goes by its parent's ident (CPython 3.11, new_threadstate()), and would be told.
        """
        ident = thread.ident or 0
        with _lock:
            inside = thread in self.threads and _owners.get(ident) is self
            if inside and ident not in self.giving_birth:
                raise_in(ident, Stopped)

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

    can_send = can_receive = 0  # what the kernel holds beyond small buffers, see lab/process.py

    def settle(self, patience: float) -> None:
        settle(self, patience)

    def where_is(self) -> str:
        return where_is(self)

    def catch_up(self) -> None:
        """Its queue has BACKLOG places: nobody need wait until it has accepted others."""

    def owes(self, client: socket.socket, sent: int) -> bool:
        """With small buffers whatever is sent makes it owe: there is no need to ask."""
        return False

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
        remember(_clients, client)
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
        return [thread.native_id for thread in list(self.threads) if thread.native_id]

    def free_tids(self) -> set[int]:
        """The same, less those that a Stepper holds at its gate: these are at rest."""
        return set(self.tids()) - set(self.held())

    def held(self) -> dict[int, str]:
        """Threads that a Stepper holds -> the call that each is about to make."""
        return {} if self.tape is None else self.tape.at_gate()

    def cpu(self) -> float:
        """Seconds of processor time used by the server's threads that live now."""
        seconds = 0.0
        for thread in list(self.threads):
            with contextlib.suppress(OSError, TypeError):  # it has ended, or not begun
                seconds += time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
        return seconds

    def times_slept(self) -> int:
        """How often the server's threads have gone to sleep so far."""
        return sum(map(kernel.times_slept, self.tids()))

    def descriptors(self) -> int:
        """How many descriptors it holds: listener, accepted sockets, epoll instances."""
        listening = self.listener.fileno() >= 0
        return listening + len(self.accepted()) + len(epolls() - self._others_epolls)

    def run_out_of_descriptors(self, but_for: Iterable[int] = ()) -> None:
        """From now on accept() fails with EMFILE, until the server closes a descriptor.

        `but_for`: descriptors that are not the server's, beside those of connect()'s clients.
        """
        self.full = Full({*but_for, *(client.fileno() for client in self.clients())})

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Inside the block accept() waits: the server sees new clients only afterwards.

        So whatever they do inside has happened before the server's first look at them.
        """
        self.gate.shut = True
        try:
            yield
        finally:
            self.gate.shut = False
            self._react()

    @contextlib.contextmanager
    def number_descriptors_from(self, lowest: int) -> Iterator[None]:
        """Inside the block, accepted sockets have descriptors from `lowest` on."""
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

    def _running(self) -> list[threading.Thread]:
        """Those of its threads that live: they have begun and have not left.

        Thread.is_alive() lies after an interrupted join() (CPython 3.10 to 3.12), and whoever
        looks at sys._current_frames() keeps alive what the threads are about to drop.
        """
        return [thread for thread in list(self.threads) if thread.ident is not None]

    @property
    def ended(self) -> bool:
        """Whether all of its threads have ended."""
        return not self._running()

    def _deaf(self) -> bool:
        """Whether those that live have all been told often enough, and sleep (see Stopped)."""
        return all(self.told.get(thread.ident, 0) >= Stopped.ENOUGH for thread in self._running())

    def _react(self) -> None:
        """Wait until the server has finished reacting; let it be if it does not."""
        if not self.gate.shut and threading.get_ident() not in _owners and not self.stopping:
            with contextlib.suppress(TimeoutError):
                settle(self, REACTION)

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

        The frames of the thread say on which ring, an echo.ring.Ring.  Another one sends a result
        to it (40: IORING_OP_MSG_RING, Linux 5.18): the queues of that ring are its thread's alone.
        """
        frames = sys._current_frames()
        for thread in self._running():
            frame = frames.get(thread.ident)
            while frame is not None:
                ring = frame.f_locals.get("self")
                if frame.f_code.co_name == "enter" and hasattr(ring, "lent"):
                    with contextlib.suppress(OSError), contextlib.closing(type(ring)()) as bell:
                        bell.submit(40, ring.fd)
                        list(bell.wait())
                frame = frame.f_back

    def _signal(self) -> None:
        """Wake who sleeps until SIGIO comes: shutdown() sends none (net/ipv4/af_inet.c)."""
        if signal.getsignal(signal.SIGIO) == signal.SIG_DFL:
            return  # it would end the process if it reached a thread that is not waiting
        with _lock:  # as long as we hold it, none of these threads can leave
            for thread in self._running():
                if kernel.waits_for_signal(thread.native_id, signal.SIGIO):
                    signal.pthread_kill(thread.ident, signal.SIGIO)

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
        while not self._deaf() and time.monotonic() < deadline:
            self.hang_up()
            moment = time.monotonic() + 0.05
            while not self._deaf() and time.monotonic() < moment:
                time.sleep(0.001)
            for thread in list(self.threads):  # it looks at no socket, or not at what it says
                self._tell(thread)
        if self.tape is not None:
            self.tape.detach(self)
        for sock in [self.listener, *self.accepted()]:  # also of a thread that stays, asleep
            socket.socket.close(sock)
        if not self.ended:
            return False
        with _lock:
            _servers.pop(self, None)
            if not _servers:
                threading.Thread.start = _start  # type: ignore[method-assign]
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

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or (issubclass(kind, Exception) and not issubclass(kind, Crashed)):
            self.stop()
        else:  # an interrupt is not to be held up, and a crash has been told
            self.end()

    def __repr__(self) -> str:
        state = self.crash or ("stopped" if self.stopping else "running in the background")
        return f"<{self.name} server, {state}>"


def start(serve: Callable, tape: Any = None, buffer: int | None = None) -> Server:
    """Run serve(listener) in a background thread, on a free port of 127.0.0.1.

    `tape`: a Tape on which its system calls are recorded.  `buffer`: size in bytes of the
    kernel's socket buffers on the server's side; by default they hold megabytes.

    The server runs until its `with` block ends, stop() is called, or the same cell of a
    notebook is run again.
    """
    return Server(serve, tape, buffer)


def settle(server: Server, patience: float = PATIENCE) -> None:
    """Return when the server has finished reacting to whatever has happened so far.

    It has when each of its threads sleeps in a wait for which nothing is ready.  A server
    that never sleeps has when it has twice asked for clients in vain while nothing lay unread,
    or when it has computed for SPINS seconds and not taken or fetched anything.
    Raises TimeoutError after `patience` seconds.
    """
    deadline = time.monotonic() + patience
    asked = server.asked_in_vain
    computed, unread = server.cpu(), None
    while not server.ended:
        try:
            tids = server.free_tids()
            if kernel.rests([*tids]) and tids == server.free_tids():  # no thread was born
                return
            never_sleeps = server.asked_in_vain - asked > 2
            if never_sleeps and asks_in_vain(server):
                return
            if server.cpu() - computed > SPINS:
                before, unread = unread, unread_by(server)
                if unread == before:
                    return
                computed = server.cpu()
        except kernel.NotTold:
            if nothing_moves(server, seconds=0.05):
                return
        if time.monotonic() > deadline:
            raise TimeoutError(f"the {server.name} server is still busy after {patience:g} seconds")
        time.sleep(0.0005)  # lets go of the GIL


def rest(server: Server) -> None:
    """settle() with patience for thousands of new clients; a server that is busy is let be."""
    with contextlib.suppress(TimeoutError):
        settle(server, ACCEPTANCE)


def asks_in_vain(server: Server) -> bool:
    """It has looked for clients twice, found none, and nothing has moved meanwhile."""
    before = server.asked_in_vain
    return nothing_moves(server, seconds=0.005) and server.asked_in_vain - before >= 2


def nothing_moves(server: Server, seconds: float) -> bool:
    before = unread_by(server)
    time.sleep(seconds)
    return unread_by(server) == before


def unread_by(server: Server) -> list[int]:
    return kernel.unread([server.listener, *server.accepted()])


def leftovers(stop: bool = False) -> None:
    """Print how many threads and sockets of ours are still there, and which.

    With `stop`, first end every server and close every socket that start() and connect()
    have made or that a variable of the notebook holds.
    """
    if stop:
        for server in list(_servers):
            server.end()
        for sock in [*sockets_of_the_notebook(), *open_ones(_clients)]:
            socket.socket.close(sock)
    for server in list(_servers):
        if server.stopping and server.ended:  # it has taken its time
            server.end()
    threads = [thread for server in _servers for thread in server._running()]
    sockets = {*sockets_of_the_notebook(), *open_ones(_clients)}
    for server in _servers:
        sockets.update([server.listener, *server.accepted()])
    count = sum(map(is_open, sockets))
    print(f"{amount(len(threads), 'thread')}, {amount(count, 'socket')} left")
    for server in _servers:
        how = f"has ended: {server.crash}" if server.crash else f"is {where_is(server)}"
        print(f"the {server.name} server {how}")


def where_is(who: Server | threading.Thread | int) -> str:
    """What a thread is doing now: "asleep in pselect6", "asleep in recvfrom, waiting for client 1",
    "running", "ended".

    `who`: a server, a thread, or the number of a process that may be looked at (its parent may,
    ptrace(2)); of several threads, what each does.  The names are those of system calls
    (proc(5): /proc/<pid>/task/<tid>/syscall).
    """
    roles = who.roles if isinstance(who, Server) else {}
    held = who.held() if isinstance(who, Server) else {}
    while tids := tids_of(who):
        if set(tids) == set(held):
            return f"at the gate of its stepper, before {', '.join(held.values())}"
        try:
            sleeps = [kernel.asleep(tid, who if isinstance(who, int) else "self") for tid in tids]
        except ProcessLookupError:
            continue  # one thread fewer: look again
        except kernel.NotTold as untold:
            return f"running or asleep: {untold.__doc__}"
        return "; ".join(doing(sleeps, roles))
    return "ended"


def watch(who: Server | threading.Thread | int, during: Callable[[], Any]) -> list[str]:
    """What a thread does before, while and after during() runs: each state that lasts, in order.

    One that is over within LASTS seconds is left out: whether it is seen would be chance.
    """
    seen = [where_is(who)]
    over = threading.Event()

    def look() -> None:
        last, since = seen[0], time.monotonic()
        while not over.is_set() or time.monotonic() - since < 2 * LASTS:
            if (now := where_is(who)) != last:
                last, since = now, time.monotonic()
            elif now != seen[-1] and time.monotonic() - since > LASTS:
                seen.append(now)
            time.sleep(0.001)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        during()
    finally:
        over.set()
        watcher.join()
    return seen


def tids_of(who: Server | threading.Thread | int) -> list[int]:
    if isinstance(who, Server):
        return [] if who.ended else who.tids()
    if isinstance(who, threading.Thread):
        return [who.native_id] if who.is_alive() and who.native_id is not None else []
    try:
        with open(f"/proc/{who}/stat", encoding="ascii", errors="replace") as file:
            ended = file.read().rpartition(")")[2].split()[0] in "ZX"
        return [] if ended else [int(tid) for tid in os.listdir(f"/proc/{who}/task")]
    except OSError:
        return []


def doing(sleeps: list[kernel.Sleep | None], roles: dict[int, str]) -> Iterator[str]:
    """What several threads do, in words; those that wait for a client each are counted."""
    waits: dict[str, list[str]] = {}
    for sleep in sleeps:
        call = "running" if sleep is None else f"asleep in {sleep.call}"
        one = sleep is not None and sleep.call in kernel.ONE
        role = roles.get(sleep.arguments[0], "") if one else ""
        waits.setdefault(call, []).append(role if role.startswith("client") else "")
    for call in sorted(waits):
        clients = sorted(filter(None, waits[call]))
        who = f"{len(clients)} clients" if len(clients) > 1 else "".join(clients)
        yield f"{call}, waiting for {who}" if who else call


@contextlib.contextmanager
def more_descriptors(limit: int = 4096) -> Iterator[None]:
    """Raise the soft limit of open files for a moment, as far as the hard one lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(limit, hard)), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# -- small things -----------------------------------------------------------------------


def amount(count: int, noun: str) -> str:
    """1 call, 2 calls; 1 entry, 2 entries."""
    several = f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}s"
    return f"{count} {noun if count == 1 else several}"


def is_open(sock: socket.socket | None) -> bool:
    return sock is not None and sock.fileno() >= 0


def remember(refs: list[weakref.ref], sock: socket.socket) -> None:
    """Add it to a list that keeps none of them alive; now and then forget who has closed.

    A WeakSet would run Python code whenever one goes, and an interrupt in there is lost.
    """
    with _lock:
        if len(refs) % 256 == 255:
            refs[:] = [ref for ref in refs if is_open(ref())]
        refs.append(weakref.ref(sock))


def open_ones(refs: list[weakref.ref]) -> list[Any]:
    return [sock for ref in list(refs) if is_open(sock := ref())]


def bear_sigio() -> None:
    """Whoever asks for SIGIO and has not blocked it shall not end our process, a kernel maybe.

    Ignored, it still reaches a thread that has (sigwaitinfo(2), kernel/signal.c: sig_ignored).
    """
    may_we = threading.current_thread() is threading.main_thread()  # nobody else may
    if may_we and signal.getsignal(signal.SIGIO) == signal.SIG_DFL:
        signal.signal(signal.SIGIO, signal.SIG_IGN)


def hang_up(sock: socket.socket) -> None:
    """Shut both directions, twice: a second one makes a listener readable as well."""
    for _ in range(2):
        with contextlib.suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


def renumbered(sock: socket.socket, lowest: int) -> socket.socket:
    """The same socket under the first free descriptor from `lowest` on."""
    number = fcntl.fcntl(sock, fcntl.F_DUPFD_CLOEXEC, lowest)
    sock.close()
    return socket.socket(fileno=number)


def epolls() -> set[int]:
    """The descriptors of this process that are epoll instances."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/self/fd/{name}") == "anon_inode:[eventpoll]":
                found.add(int(name))
    return found


def raise_in(ident: int, error: type[BaseException] | None) -> None:
    """Raise an exception in a thread as soon as that runs Python code again; None: do not."""
    exception = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), exception)


def checked(serve: Any) -> Callable:
    if not callable(serve):
        hint = f": {name_of(serve)}_server.serve" if inspect.ismodule(serve) else ""
        raise TypeError(f"start() takes the function serve(listener){hint}")
    if inspect.iscoroutinefunction(serve):
        raise TypeError(
            "start() takes a plain function; for a coroutine: "
            "start(lambda listener: asyncio.run(serve(listener)))"
        )
    return serve


def name_of(serve: Any) -> str:
    module = getattr(serve, "__module__", None) or getattr(serve, "__name__", "?")
    if module == "__main__":
        return f"{serve.__name__}()" if hasattr(serve, "__name__") else "your"
    return module.rpartition(".")[2].removesuffix("_server")


def place(error: BaseException, serve: Callable) -> str:
    """Where in the server's own code an error arose, as its reader counts lines."""
    code = getattr(serve, "__code__", None)
    file = getattr(serve, "__globals__", {}).get("__file__")  # a cell has none
    found = ""
    trace = error.__traceback__
    while code is not None and trace is not None:
        frame = trace.tb_frame.f_code
        if frame.co_filename == code.co_filename:
            if file:
                found = f" ({Path(file).name}, line {trace.tb_lineno})"
            else:
                line = trace.tb_lineno - frame.co_firstlineno + 1
                found = f" (line {line} of {frame.co_name})"
        trace = trace.tb_next
    return found


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
    """The open sockets that a variable of the notebook holds, itself or in a container."""
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
    return [sock for sock in found.values() if is_open(sock)]


_start = threading.Thread.start


def start_and_own(thread: threading.Thread) -> None:
    """Thread.start() while a server lives: a thread that its threads start is its own."""
    server = _owners.get(threading.get_ident())
    if server is None:
        _start(thread)
    else:
        server._launch(thread)


def owner() -> Server | None:
    """The server on whose behalf the calling thread runs, if any."""
    return _owners.get(threading.get_ident())
