"""The threads of a server: whose they are, how they are told to stop, and how they crash."""

import _thread
import ctypes
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

RETURNED = "serve() returned; a server must keep running"


class Owner(Protocol):
    """What its threads need to know of a server."""

    code: Callable[..., Any]  # the function whose lines are told
    stopping: bool
    roles: dict[int, str]  # descriptor -> "listener", "client 1", ...
    threads: "Threads"
    tape: Any

    def hang_up(self) -> None:
        """Wake whoever sleeps on one of its sockets."""


owners: dict[int, Any] = {}  # thread ident -> the server (an Owner) on whose behalf it runs
lock = threading.RLock()  # of what the bench notes of servers and their threads


class Stopped(SystemExit):
    """Ends the server's thread.  No `except OSError` or `except Exception` swallows it.

    A bare `except:` does.  So a thread that has been told ENOUGH times goes to sleep here, for
    ever: it shall not compute beside whatever comes next.
    """

    ENOUGH = 20

    def __init__(self) -> None:
        super().__init__()
        ident = threading.get_ident()
        server = owners.get(ident)
        if server is not None:
            told = server.threads.told_stop
            told[ident] = told.get(ident, 0) + 1
            if told[ident] >= self.ENOUGH:
                threading.Event().wait()


class Crashed(RuntimeError):
    """The server ended by itself; the message says how, and in which line."""


class Threads:
    """The threads of one server: the one that runs serve(), and those that it starts."""

    def __init__(self, server: Owner) -> None:
        self.server = server
        self.crash: str | None = None  # how the server ended, if it ended by itself
        self.told_stop: dict[int, int] = {}  # ident -> how often Stopped was raised in it
        self.starting: set[int] = set()  # idents of threads that are starting a thread
        self.first: threading.Thread | None = None
        self._all: set[threading.Thread] = set()

    def __iter__(self) -> Iterator[threading.Thread]:
        return iter(list(self._all))

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, thread: object) -> bool:
        return thread in self._all

    def begin(self, body: Callable[[], Any], name: str) -> None:
        """Start the first one, from a thread that no interrupt reaches: not the main thread.

        Thread.start() waits for the new thread to say that it runs, and an interrupt in there can
        leave a lock closed that the new thread needs.  What we wait for is one plain lock.
        """
        self.first = threading.Thread(target=body, name=name, daemon=True)
        first, begun = self.first, _thread.allocate_lock()
        failed: list[RuntimeError] = []
        begun.acquire()

        def start() -> None:
            try:
                self.launch(first)
            except RuntimeError as error:  # can't start new thread
                failed.append(error)
            finally:
                begun.release()

        _thread.start_new_thread(start, ())
        begun.acquire()
        if failed:
            raise failed[0]

    def launch(self, thread: threading.Thread) -> None:
        """Start a thread that belongs to this server; whatever it raises is ours to tell."""
        run = thread.run

        def body() -> None:
            owners[threading.get_ident()] = self.server
            try:
                if not self.server.stopping:
                    run()
            except BaseException as error:
                self.report(error)
                if self.crash is not None:  # no client shall wait for an answer in vain
                    self.server.hang_up()
            finally:
                try:
                    self._leave(thread)
                except Stopped:  # it was told while it was leaving
                    self._leave(thread)

        thread.run = body  # type: ignore[method-assign]  # what it runs is wrapped, per thread
        self._all.add(thread)
        ident = threading.get_ident()
        with lock:
            self.starting.add(ident)
        try:
            real_start(thread)
        except RuntimeError:  # can't start new thread
            self._all.discard(thread)
            raise
        finally:
            with lock:
                self.starting.discard(ident)

    def report(self, error: BaseException | None) -> None:
        """Keep what the error says, and not the error: its frames would keep sockets open."""
        if error is None or self.server.stopping or self.crash is not None:
            return
        said = str(error)
        if isinstance(error, KeyError) and error.args[0] in self.server.roles:  # never a number
            said = f"the descriptor of {self.server.roles[error.args[0]]}"
        text = f"{type(error).__name__}: {said}".rstrip(": ") + place(error, self.server.code)
        if threading.current_thread() is self.first:
            self.crash = f"the server crashed: {text}"
        else:
            self.crash = f"a thread crashed, and the bench ended its server: {text}"

    def _leave(self, thread: threading.Thread) -> None:
        """The last thing that one of the server's threads does."""
        ident = threading.get_ident()
        with lock:
            self._all.discard(thread)
            self.told_stop.pop(ident, None)
            owners.pop(ident, None)
            raise_in(ident, None)

    def tell(self, thread: threading.Thread) -> None:
        """Raise Stopped in a thread of the server, wherever it is in the server's code.

        Not before: whoever starts it would wait forever to hear that it has begun.  Not after:
        by then its ident may be another's.  Not while it starts a thread itself: until that
        runs it goes by its parent's ident (CPython 3.11, new_threadstate()), and would be told.
        """
        ident = thread.ident or 0
        with lock:
            inside = thread in self and owners.get(ident) is self.server
            if inside and ident not in self.starting:
                raise_in(ident, Stopped)

    def running(self) -> list[threading.Thread]:
        """Those that live: they have begun and have not left.

        Thread.is_alive() lies after an interrupted join() (CPython 3.10 to 3.12), and whoever
        looks at sys._current_frames() keeps alive what the threads are about to drop.
        """
        return [thread for thread in self if thread.ident is not None]

    def deaf(self) -> bool:
        """Whether those that live have all been told often enough, and sleep (see Stopped)."""
        return all(
            self.told_stop.get(thread.ident or 0, 0) >= Stopped.ENOUGH for thread in self.running()
        )


real_start = threading.Thread.start


def start_and_own(thread: threading.Thread) -> None:
    """Thread.start() while a server lives: a thread that its threads start is its own."""
    server = owner()
    if server is None:
        real_start(thread)
    else:
        server.threads.launch(thread)


def owner() -> Owner | None:
    """The server on whose behalf the calling thread runs, if any."""
    return owners.get(threading.get_ident())


def raise_in(ident: int, error: type[BaseException] | None) -> None:
    """Raise an exception in a thread as soon as that runs Python code again; None: do not."""
    exception = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), exception)


def place(error: BaseException, serve: Callable[..., Any]) -> str:
    """Where in the server's own code an error arose, as its reader counts lines.

    Its own are the functions of its file, or of all cells of its notebook: those cells have a
    file name each, but one namespace.
    """
    code = getattr(serve, "__code__", None)
    names = getattr(serve, "__globals__", {})
    file = names.get("__file__")  # a cell has none
    found = ""
    trace = error.__traceback__
    while code is not None and trace is not None:
        frame = trace.tb_frame.f_code
        if frame.co_filename == code.co_filename or trace.tb_frame.f_globals is names:
            if file:
                found = f" ({Path(file).name}, line {trace.tb_lineno})"
            else:
                line = trace.tb_lineno - frame.co_firstlineno + 1
                found = f" (line {line} of {frame.co_name})"
        trace = trace.tb_next
    return found


def ignore_sigio() -> None:
    """Whoever asks for SIGIO and has not blocked it shall not end our process, a kernel maybe.

    Ignored, it still reaches a thread that has (sigwaitinfo(2), kernel/signal.c: sig_ignored).
    """
    may_we = threading.current_thread() is threading.main_thread()  # nobody else may
    if may_we and signal.getsignal(signal.SIGIO) == signal.SIG_DFL:
        signal.signal(signal.SIGIO, signal.SIG_IGN)
