"""Run a stranger's server as a process, and ask the kernel about it from outside.

    server = Process("node echo.js {port}")

A Process has what a requirement of the suite asks of a server in a thread of ours
(run.server.Server).  What can only be had from inside is replaced by what a process really
meets: signals instead of a gate, a resource limit instead of a made-up error, buffers as
large as the kernel makes them.  What cannot be replaced raises NotAsked, with the reason.

The process and all that it starts are watched and ended together (run.family).
"""

import contextlib
import os
import random
import re
import resource
import shlex
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import IO

from echo.lab.kernel.processes import (
    ThreadState,
    call_of,
    cpu_clock,
    descriptors,
    kernel_buffers,
    limit,
    limits_of,
    thread_state,
    touched,
)
from echo.lab.kernel.sockets import held_by_the_kernel, listeners, segments_in
from echo.lab.kernel.tcp_table import TcpSocket, tcp_sockets
from echo.lab.run.family import Family
from echo.lab.run.faults import Flood
from echo.lab.run.last_words import useful_line
from echo.lab.run.rest import PATIENCE, until

LISTENS = 10  # seconds that a command may take to listen: some start a virtual machine first
GRACE = 0.5  # seconds between asking it to end and ending it
QUIET_LOOKS = 3  # so often must all threads have been found asleep, with no wake in between,
PAUSE = 0.004  # so many seconds apart
COMPUTES = 0.1  # seconds of processor time in which who has something to move moves it,
WAKES = 10  # or so many times that it wakes up for it
PORTS = range(10_000, 32_768)  # the kernel gives none of these to a client (ip_local_port_range)
ACKNOWLEDGED = 0.2  # seconds after which it is, TCP_DELACK_MAX (include/net/tcp.h)
PROBED = 1.0  # seconds more by which a closed window has been asked about at least once
PROBES = 5  # each may make room once more
AT_ONCE = 4  # clients that any queue takes: socketserver's has 5 places
SPARE_PLACES = 64  # descriptors by which there is room again: some servers take five for one client
NO_DUMPS = {"ERL_CRASH_DUMP": os.devnull}  # nothing is left in the caller's folder
ROOM = 4096  # descriptors that we and the server each need for one above 1023


class Unusable(Exception):
    """A command that cannot be judged; the message says why."""


class NotAsked(Exception):
    """What cannot be asked of this server; the message says why."""


class Stirs:
    """Of a process that does not come to rest: whether it moves any bytes, or takes anybody."""

    def __init__(self, server: "Process") -> None:
        self.server = server
        self._moment = 0.0  # when we look again
        self._queued: list[TcpSocket] = []
        self._spent, self._wakes = 0.0, 0

    def in_vain(self, look: dict[int, ThreadState]) -> bool:
        now, server = time.monotonic(), self.server
        if now < self._moment:
            return False
        spent, wakes = server.cpu(), sum(int(one.switches[0]) for one in look.values())
        queued = sorted(tcp_sockets(server.address[1]))
        if not self._moment or queued != self._queued:
            self._queued, self._spent, self._wakes = queued, spent, wakes
        elif spent - self._spent > COMPUTES or wakes - self._wakes > WAKES:
            return True
        self._moment = now + 0.02
        return False


class Process:
    """A command that serves on `address`; the suite's view of it."""

    def __init__(self, command: str, buffer: int | None = None) -> None:
        self.buffer = buffer  # of the clients; the server's own are the kernel's affair
        self.can_send, self.can_receive = kernel_buffers()
        self.full: object = None
        self.arrived: int | None = None  # how many it has accepted is not to be seen from outside
        self._looked: dict[int, ThreadState] = {}  # when its descriptors ran out
        self._several = False  # whether it had more than one process then
        self._grace = PATIENCE  # seconds that catch_up() waits, until it has waited in vain
        for attempt in range(3):  # somebody may take the port before it does
            self.stopping = False
            self._family = Family()
            self.address = ("127.0.0.1", free_port())
            self._start(argv_of(command, self.address[1]))
            try:
                self._wait_until_it_listens()
            except BaseException as error:
                self.end()
                taken = "in use" in str(error) or "EADDRINUSE" in str(error)
                if not taken or attempt == 2:
                    raise
            else:
                break

    def _start(self, argv: list[str]) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 -- end() closes both
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._complaints,
                start_new_session=True,
                env=self._family.environment | NO_DUMPS,
            )
        except OSError as error:
            self._output.close()
            self._complaints.close()
            raise Unusable(f"cannot run {argv[0]}: {error.strerror}") from None
        self.pid = self._family.leader = self._process.pid
        with contextlib.suppress(OSError):  # what it would leave in the caller's folder
            resource.prlimit(self.pid, resource.RLIMIT_CORE, (0, 0))

    def _wait_until_it_listens(self) -> None:
        """Without connecting: a client would be one too many for some servers."""
        port = self.address[1]
        deadline = time.monotonic() + LISTENS
        late = False
        while not late:
            late = time.monotonic() > deadline  # who was stopped meanwhile looks once more
            found = [listener.inode for listener in listeners(port) if listener.here]
            if found and self._sockets().issuperset(found):
                if not reached_by_ipv4(port):
                    break
                return
            if self._leader_ended():
                how = self._how()
                stay = "; it must stay in the foreground" if how == ", exit code 0" else ""
                raise Unusable(f"the command ended before it listened on port {port}{how}{stay}")
            time.sleep(0.005)
        elsewhere = " but on another address" if listeners(port) else ""
        when = f", {LISTENS} seconds after its start" if late else ""
        raise Unusable(f"the command does not listen on port {port} of 127.0.0.1{elsewhere}{when}")

    # -- who belongs to it --------------------------------------------------------------

    def members(self) -> list[int]:
        """The living processes that it consists of."""
        return self._family.members()

    def _sockets(self) -> set[str]:
        """The inodes of the sockets that the processes of its session hold."""
        found = set()
        for pid in self._family.session():
            with contextlib.suppress(OSError):
                for fd in os.listdir(f"/proc/{pid}/fd"):
                    with contextlib.suppress(OSError):
                        found.update(
                            re.findall(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{fd}"))
                        )
        return found

    def _leader_ended(self) -> bool:
        """Without reaping it: until then nobody else can get its number."""
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        with contextlib.suppress(ChildProcessError):
            return os.waitid(os.P_PID, self.pid, options) is not None
        return True

    @property
    def ended(self) -> bool:
        """Whether all of its processes have ended."""
        return self._leader_ended() and not self.members()

    @property
    def crash(self) -> str | None:
        """How it ended, if it ended by itself."""
        if self.stopping or not self._leader_ended():
            return None
        return f"the server has ended{self._how()}"

    def _how(self) -> str:
        """Its exit code and its last words, as far as they are about an error."""
        said = ""
        with contextlib.suppress(ChildProcessError):
            info = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if info is not None and info.si_code == os.CLD_EXITED:
                said = f", exit code {info.si_status}"
            elif info is not None:
                said = f", by {signal.Signals(info.si_status).name}"
        last = useful_line(written(self._complaints))
        if not last and said.startswith(", exit code"):
            last = useful_line(written(self._output))
        return f"{said}: {last}" if last else said

    def complains(self) -> str | None:
        """The line of its stderr that says most, if there is one."""
        return useful_line(written(self._complaints)) or None

    # -- what it does now ---------------------------------------------------------------

    def look(self) -> dict[int, ThreadState]:
        """Each of its threads, by number."""
        found = {}
        for pid in self.members():
            with contextlib.suppress(OSError):
                for tid in map(int, os.listdir(f"/proc/{pid}/task")):
                    if look := thread_state(tid, pid):
                        found[tid] = look
        return found

    def settle(self, patience: float = PATIENCE) -> None:
        """Return when all threads of all its processes sleep, and go on sleeping.

        On loopback what a client sends wakes the server before send() has returned.  Who never
        sleeps, or wakes up all the time, has finished when it has computed for COMPUTES seconds, or
        woken up WAKES times, and has moved nothing.  Raises TimeoutError after `patience` seconds.
        """
        deadline = time.monotonic() + patience
        before, equal = self.look(), 1
        stirs = Stirs(self)
        while not self.ended:
            time.sleep(PAUSE)
            now = self.look()
            asleep = all(look.state == "S" for look in now.values())
            equal = equal + 1 if asleep and now == before else 1
            if equal > QUIET_LOOKS or stirs.in_vain(now):
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"the server is still busy after {patience:g} seconds")
            before = now

    def where_is(self) -> str:
        """What its threads are doing now: "asleep in epoll_wait", "running", "ended"."""
        if self.ended:
            return "ended"
        calls = set()
        for pid in self.members():
            with contextlib.suppress(OSError):
                for tid in os.listdir(f"/proc/{pid}/task"):
                    with contextlib.suppress(ProcessLookupError):
                        calls.add(call_of(pid, int(tid)))
        if len(calls) > 1:
            calls.discard("asleep in futex")  # a pool of threads that waits for work
        return ", ".join(sorted(calls))

    def cpu(self) -> float:
        """Seconds of processor time used by its processes that live now."""
        seconds = 0.0
        for pid in self.members():
            with contextlib.suppress(OSError):
                seconds += time.clock_gettime(cpu_clock(pid))
        return seconds

    def times_slept(self) -> int:
        """How often its threads have gone to sleep so far (proc(5), voluntary_ctxt_switches)."""
        return sum(int(look.switches[0]) for look in self.look().values())

    def descriptors(self) -> int:
        """How many descriptors its processes hold."""
        return sum(len(descriptors(pid)) for pid in self.members())

    def allow(self, clients: int) -> None:
        """Let it have descriptors for so many clients.  Raises NotAsked where nobody may."""
        for pid in self.members():
            soft, hard = limits_of(pid) or (ROOM, ROOM)  # one that has ended needs none
            if hard < clients + SPARE_PLACES:
                raise NotAsked(f"no process may have more than {hard} descriptors here")
            limit(pid, max(soft, min(hard, ROOM)))

    def memory(self) -> int | None:
        """Bytes that it has touched; None of several processes, which share most of theirs."""
        members = self.members()
        return touched(members[0]) if len(members) == 1 else None

    def catch_up(self) -> None:
        """Wait until it has accepted all who are there, if it ever does that.

        A queue that is full lets a client wait for a second (listen(2), tcp_syn_retries).
        """
        deadline = time.monotonic() + self._grace
        while any(listener.waiting for listener in listeners(self.address[1])):
            if time.monotonic() > deadline:
                self._grace = 0.0  # it serves one after the other, or not at all
            if not self._grace:
                break
            time.sleep(0.0005)

    def owes(self, client: socket.socket, sent: int) -> bool:
        """Whether it has read, when it comes to rest, what it cannot give back to the kernel.

        What a client has sent lies in four queues of the kernel, or else in the server.  There may
        be room again when the client's kernel is late with an acknowledgement, or answers whether
        its window is still closed (tcp_send_probe0 in net/ipv4/tcp_output.c).  We wait for that.
        """
        before, held = None, self.held_at_rest(client)
        for _ in range(PROBES):
            if held is None or held >= sent or held == before:
                break
            wait_for_a_probe(client)
            before, held = held, self.held_at_rest(client)
        return held is not None and held < sent

    def held_at_rest(self, client: socket.socket) -> int | None:
        with contextlib.suppress(TimeoutError):
            self.settle()
        return self.kernel_holds(client)

    def kernel_holds(self, client: socket.socket) -> int | None:
        """Bytes of this connection that the kernel has, in either direction; None: it has ended."""
        return held_by_the_kernel(client, self.address[1])

    # -- what is done to it -------------------------------------------------------------

    def run_out_of_descriptors(self, but_for: object = ()) -> None:
        """From now on accept() fails with EMFILE, until it closes a descriptor.

        The kernel gives the lowest free number, and none from the limit on: so the limit is
        the lowest free one.  It takes none away.
        """
        self._looked, members = self.look(), self.members()
        self._several = len(members) > 1
        for pid in members:
            used = descriptors(pid)
            free = next(number for number in range(len(used) + 1) if number not in used)
            limit(pid, free)

    def make_room(self) -> None:
        """Who serves each client in another process gets no descriptor back when one leaves."""
        for pid in self.members() if self._several else []:
            if limits := limits_of(pid):
                limit(pid, limits[0] + SPARE_PLACES)

    def refused(self) -> bool:
        """Whether it has been awake since its descriptors ran out."""
        return self.look() != self._looked

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Inside the block it is stopped (SIGSTOP); what clients do has happened before it looks.

        Some calls that a signal stops fail with EINTR when they go on, signal(7).
        """
        self._signal(signal.SIGSTOP)
        self._wait(lambda: all(look.state == "T" for look in self.look().values()))
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)
            with contextlib.suppress(TimeoutError):
                self.settle()

    @contextlib.contextmanager
    def number_descriptors_from(self, lowest: int) -> Iterator[None]:
        """Inside the block, whoever is accepted gets a descriptor from `lowest` on.

        It takes as many other clients.  Raises NotAsked if limits or the server do not allow
        it: one that serves each client in another process never holds so many.
        """
        members = self.members()
        limits = [limits[1] for limits in map(limits_of, members) if limits]
        hard = min([*limits, resource.getrlimit(resource.RLIMIT_NOFILE)[1]])
        if hard < ROOM:
            raise NotAsked(f"no process may have more than {hard} descriptors here")
        for pid in members:
            limit(pid, ROOM)
        clients: list[socket.socket] = []
        try:
            while (missing := lowest - 1 - self.highest()) > 0 and self.crash is None:
                for _ in range(min(missing, len(clients) + AT_ONCE)):  # few, until it keeps up
                    if len(clients) % AT_ONCE == 0:
                        self.catch_up()
                    with never_high(clients, self):
                        clients.append(socket.create_connection(self.address, PATIENCE))
                deadline = time.monotonic() + PATIENCE
                while lowest - 1 - self.highest() == missing and self.crash is None:
                    if len(self.members()) > len(members):
                        raise NotAsked("it serves each client in a process of its own")
                    with never_high(clients, self):
                        if time.monotonic() > deadline:
                            raise TimeoutError
                    time.sleep(0.001)
            with contextlib.suppress(TimeoutError):
                self.settle()
            yield
        finally:
            for client in clients:
                client.close()

    def highest(self) -> int:
        """The highest descriptor that it holds."""
        return max((max(descriptors(pid), default=0) for pid in self.members()), default=0)

    def flood(self) -> contextlib.AbstractContextManager[Flood]:
        raise NotAsked(
            "a client's flood has gaps, however fast it is, and in a gap every server turns "
            "to the others; only a server in a thread of ours can be given one without"
        )

    # -- the end ------------------------------------------------------------------------

    def end(self) -> bool:
        """End all of its processes: SIGTERM, and SIGKILL for those that stay."""
        self.stopping = True
        for number, seconds in ((signal.SIGTERM, GRACE), (signal.SIGKILL, PATIENCE)):
            self._signal(number)
            self._signal(signal.SIGCONT)  # one that is stopped would not hear it
            if self._wait(lambda: self.ended, seconds):
                break
        gone = self.ended
        if gone:
            self._process.wait()
        self._output.close()
        self._complaints.close()
        return gone

    def _signal(self, number: int) -> None:
        for pid in self.members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _wait(self, condition: Callable[[], bool], seconds: float = PATIENCE) -> bool:
        deadline = time.monotonic() + seconds
        while not (holds := condition()) and time.monotonic() < deadline:
            time.sleep(0.001)
        return holds


# -- small things -----------------------------------------------------------------------


def argv_of(command: str, port: int) -> list[str]:
    """A command as a shell would split it, with the port put in; there is no shell."""
    try:
        argv = shlex.split(command)
    except ValueError as error:
        raise Unusable(f"the command cannot be read: {str(error).lower()}") from None
    if not any("{port}" in word for word in argv):
        raise Unusable("the command has no {port} in it: where is it told its port?")
    return [word.replace("{port}", str(port)) for word in argv]


@contextlib.contextmanager
def never_high(clients: list[socket.socket], server: Process) -> Iterator[None]:
    """A client that has to wait for too long tells that it never holds as many as we mean."""
    try:
        yield
    except TimeoutError:
        raise NotAsked(
            f"with {len(clients)} clients it holds no descriptor above {server.highest()}: "
            "it keeps them elsewhere, or lets them wait"
        ) from None


def written(file: IO[bytes]) -> str:
    """What a process has written there so far."""
    return os.pread(file.fileno(), 1 << 20, 0).decode(errors="replace")


def reached_by_ipv4(port: int) -> bool:
    """Whether a listener on this port takes IPv4 as well: one of IPv6 alone leaves it to others.

    Nobody connects: a client would be one too many for some servers.
    """
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def wait_for_a_probe(client: socket.socket) -> None:
    came = segments_in(client)
    time.sleep(ACKNOWLEDGED)
    with contextlib.suppress(TimeoutError):
        until(lambda: segments_in(client) != came, PROBED)


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    while True:
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", random.choice(PORTS)))
            return int(sock.getsockname()[1])
