"""Several processes that serve one port, and what becomes of their clients when one hangs.

    with workers(2) as team:             # two epoll servers, each with a listener of its own
        team.stop(0)                     # SIGSTOP: the process hangs
        team.call(64)                    # 64 clients connect, and each says hello
        team.answered()                  # "a part"

With SO_REUSEPORT (socket(7)) each process has its own listening socket on the same port, and
the kernel picks one for each new connection by a hash of its addresses
(net/core/sock_reuseport.c).  With `shared` all of them have the same listening socket, as after
fork(2).
"""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from echo.lab.kernel.processes import ThreadState, stat, thread_state
from echo.lab.kernel.sockets import listeners, unread
from echo.lab.run.clients import bind
from echo.lab.run.program import ROOT

WORKERS_READY = 15.0  # seconds for what takes a fraction of one, more on a busy machine
QUEUE = 200  # places in each accept queue, more than anybody here needs; somaxconn may allow fewer
BETWEEN_LOOKS = 0.002  # seconds between two looks
EQUAL_LOOKS = 3  # so often a worker must have been found asleep, with no wake-up in between
DEATH = 1  # PR_SET_PDEATHSIG, prctl(2): a worker does not outlive the thread that started it

WORKER = """
import ctypes, importlib, signal, socket, sys
ctypes.CDLL(None).prctl({death}, signal.SIGKILL, 0, 0, 0)
sys.path.insert(0, {root!r})
serve = importlib.import_module("echo.{name}_server").serve
listener = socket.socket(fileno={fd})
print("ready", flush=True)
serve(listener)
"""


class Team:
    """Workers on one port, by number, and their clients; made by workers()."""

    def __init__(self) -> None:
        self.address = ("127.0.0.1", 0)
        self.clients: list[socket.socket] = []  # in the order of their connect()
        self.unanswered: list[socket.socket] = []  # those that have said hello in vain so far
        self._stopped: set[int] = set()
        self._ended: set[int] = set()
        self._processes: list[subprocess.Popen[str]] = []
        self._inodes: list[str] = []  # of the workers' listeners

    def begin(self, count: int, name: str, shared: bool) -> None:
        """Start the workers, and wait until they serve."""
        with contextlib.ExitStack() as stack:  # a listener that we kept would outlive its worker
            own = [stack.enter_context(self._listener(not shared))]
            while len(own) < count:
                own.append(own[0] if shared else stack.enter_context(self._listener(True)))
            for number in range(count):
                self._start(own[number], name)
        for process in self._processes:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise RuntimeError(f"a worker has ended before it served: {name}")
        self.settle()

    def _listener(self, own: bool) -> socket.socket:
        sock = socket.socket()
        try:
            if own:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if self.address[1]:
                sock.bind(self.address)
            else:
                bind(sock)
                self.address = sock.getsockname()
            sock.listen(QUEUE)
        except BaseException:
            sock.close()
            raise
        return sock

    def _start(self, listener: socket.socket, name: str) -> None:
        fd = listener.fileno()
        program = WORKER.format(death=DEATH, root=str(ROOT), name=name, fd=fd)
        self._inodes.append(str(os.fstat(fd).st_ino))
        self._processes.append(
            subprocess.Popen(
                [sys.executable, "-I", "-c", program],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=[fd],
                text=True,
            )
        )

    # -- what is done to workers --------------------------------------------------------

    def stop(self, number: int) -> None:
        """SIGSTOP: the process stays as it is, and does nothing.  Its kernel goes on."""
        self._processes[number].send_signal(signal.SIGSTOP)
        self._stopped.add(number)
        self._wait(lambda: self._state(number) == "T", "a worker does not stop")

    def go_on(self, number: int) -> None:
        """SIGCONT: it goes on where it was."""
        self._stopped.discard(number)
        self._processes[number].send_signal(signal.SIGCONT)

    def kill(self, number: int) -> None:
        """SIGKILL: it is gone, and so is every socket that only it has had."""
        self._ended.add(number)
        self._processes[number].kill()
        self._processes[number].wait()

    # -- what clients do ----------------------------------------------------------------

    def call(self, count: int) -> None:
        """`count` new clients connect, and each says hello; a wait of theirs ends after 5 seconds.

        Raises OSError if they cannot connect.
        """
        for _ in range(count):
            client = socket.create_connection(self.address, timeout=5)
            self.clients.append(client)
            self.unanswered.append(client)
            client.send(b"hello")

    def answered(self) -> str:
        """Once the workers have done what they can: who has been answered?  "all", "a part" or
        "nobody"."""
        self.settle()
        for client in list(self.unanswered):
            if unread([client]) != [0] and client.recv(100) == b"hello":
                self.unanswered.remove(client)
        left = len(self.unanswered)
        return "all" if not left else "a part" if left < len(self.clients) else "nobody"

    def settle(self) -> None:
        """Return when each worker that runs sleeps, and nobody waits in its accept queue.

        Raises RuntimeError if that takes too long, or if a worker has ended by itself.
        """
        self._wait(self._rests, "the workers are still busy")

    def _rests(self) -> bool:
        looks = [self._look() for _ in range(EQUAL_LOOKS)]
        if any(look != looks[0] for look in looks) or None in looks[0]:
            return False
        waiting = {row.inode: row.waiting for row in listeners(self.address[1])}
        return not any(waiting.get(self._inodes[number], 0) for number in self._running())

    def _look(self) -> list[dict[str, ThreadState] | None]:
        """Of each worker that runs, how often its threads have gone to sleep; None if one runs."""
        time.sleep(BETWEEN_LOOKS)
        return [self._sleeps(number) for number in self._running()]

    def _sleeps(self, number: int) -> dict[str, ThreadState] | None:
        if self._processes[number].poll() is not None:
            raise RuntimeError("a worker has ended by itself")
        pid, found = self._processes[number].pid, {}
        try:
            tids = os.listdir(f"/proc/{pid}/task")
        except OSError:  # it has just ended
            return None
        for tid in tids:
            state = thread_state(int(tid), pid)
            if state is None or state.state != "S":  # it has just ended, or runs
                return None
            found[tid] = state
        return found

    def _running(self) -> list[int]:
        return sorted({*range(len(self._processes))} - self._stopped - self._ended)

    def _state(self, number: int) -> str:
        return "".join(stat(self._processes[number].pid)[:1])

    def _wait(self, condition: Callable[[], bool], otherwise: str) -> None:
        deadline = time.monotonic() + WORKERS_READY
        while not condition():
            if (
                time.monotonic() > deadline and not condition()
            ):  # we may have been stopped ourselves
                raise RuntimeError(f"{otherwise}, after {WORKERS_READY:g} seconds")
            time.sleep(BETWEEN_LOOKS)

    def end(self) -> None:
        """No process stays, no socket, and no connection in TIME_WAIT (SO_LINGER, socket(7))."""
        for client in self.clients:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


@contextlib.contextmanager
def workers(count: int = 2, server: str = "epoll", shared: bool = False) -> Iterator[Team]:
    """Inside the block `count` processes serve one port of 127.0.0.1; afterwards none is left.

    `server`: a name that `python -m echo` knows.  `shared`: all have the same listening socket;
    otherwise each has one of its own, with SO_REUSEPORT.  They take a fifth of a second to
    start.  Raises RuntimeError if they do not come to serve within 15 seconds.
    """
    team = Team()
    try:
        team.begin(count, server, shared)
        yield team
    finally:
        team.end()
