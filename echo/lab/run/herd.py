"""A herd: several processes asleep at one listener, and which of them a client wakes.

    herd(select.EPOLLIN).woken                              # [20, 20, 20, 20]
    herd(select.EPOLLIN | select.EPOLLEXCLUSIVE).accepted   # [20, 0, 0, 0]

Each worker has an epoll instance of its own and watches the listener that all have inherited, as
the workers of a web server do.  The clients come one at a time, and each only when all workers
are asleep again.  So no worker is busy and the kernel is free to choose.
"""

import os
import select
import signal
import socket
import subprocess
import sys
import time
from typing import NamedTuple

from echo.lab.kernel.processes import thread_state
from echo.lab.run.clients import listen

WOKEN = 10.0  # seconds for anything to happen, on a machine with a lot to do
DOZE = 0.002  # seconds in which a worker that has been woken goes to sleep again, or is seen

# It says that it is ready, then serves.  It ends when its standard input does, so none is left
# if we are killed.  A client is told which worker has accepted it, and that is all.
HERD_WORKER = """
import select, socket, sys
listener, flags, number = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]), sys.argv[3]
poller = select.epoll()
poller.register(listener, flags)
poller.register(0, select.EPOLLIN)
print("ready", flush=True)
while 0 not in [fd for fd, _ in poller.poll()]:
    try:
        sock, _ = listener.accept()
    except BlockingIOError:  # another worker was faster
        continue
    with sock:
        sock.send(number.encode())
"""


class Herd(NamedTuple):
    """What happened to each worker, in the order in which they began to watch."""

    woken: list[int]  # how many of the clients woke it
    accepted: list[int]  # how many of the clients it accepted


def herd(
    flags: int = select.EPOLLIN, workers: int = 4, clients: int = 20, stopped: int = 0
) -> Herd:
    """Have `clients` connect, one after another, to a listener that `workers` processes watch.

    `flags`: what each worker registers the listener with.  `stopped`: so many of them, the
    first ones, are stopped by SIGSTOP before the clients come.  A worker counts as woken if it
    has gone to sleep more often after a client than before it (proc(5),
    voluntary_ctxt_switches), also when the kernel sent it back to sleep without a return to
    user space.  Raises RuntimeError if a worker ends or does not come to rest within WOKEN
    seconds.
    """
    running: list[subprocess.Popen[bytes]] = []
    woken, accepted = [0] * workers, [0] * workers
    with listen() as listener:
        listener.setblocking(False)
        try:
            for number in range(workers):
                running.append(worker(listener.fileno(), flags, number))
            for process in running[:stopped]:
                process.send_signal(signal.SIGSTOP)
                os.waitpid(process.pid, os.WUNTRACED)  # until it has stopped
            before = all_quiet(running)
            for _ in range(clients):
                accepted[taken_by(listener.getsockname())] += 1
                after = all_quiet(running)
                woken = [
                    count + (now > then)
                    for count, then, now in zip(woken, before, after, strict=True)
                ]
                before = after
        finally:
            for process in running:
                process.kill()
                process.communicate()  # closes its pipes, and waits for it
    return Herd(woken, accepted)


def worker(listener: int, flags: int, number: int) -> subprocess.Popen[bytes]:
    """A process that watches the listener; it does so when this returns."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", HERD_WORKER, str(listener), str(flags), str(number)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=[listener],
    )
    assert process.stdout is not None
    if not process.stdout.readline():
        process.communicate()
        raise RuntimeError(f"worker {number} has ended: does the kernel know these flags?")
    return process


def taken_by(address: tuple[str, int]) -> int:
    """Connect, and learn which worker has accepted us."""
    with socket.create_connection(address, timeout=WOKEN) as client:
        said = client.recv(10)
    if not said:
        raise RuntimeError("a worker has ended")
    return int(said)


def all_quiet(running: list[subprocess.Popen[bytes]]) -> list[int]:
    """Wait until every worker is asleep or stopped; how often each has gone to sleep so far."""
    deadline = time.monotonic() + WOKEN
    last: list[tuple[str, int]] = []
    while True:
        late = time.monotonic() > deadline
        looks = [look(process) for process in running]
        if looks == last and all(state in "ST" for state, _ in looks):
            return [count for _, count in looks]
        if late:
            raise RuntimeError(f"the workers are still busy after {WOKEN:g} seconds")
        last = looks
        time.sleep(DOZE)


def look(process: subprocess.Popen[bytes]) -> tuple[str, int]:
    """The state of a worker, S if asleep, T if stopped, and how often it has gone to sleep."""
    if process.poll() is not None:
        raise RuntimeError("a worker has ended")
    seen = thread_state(process.pid, process.pid)  # it has one thread
    if seen is None:
        raise RuntimeError("a worker has ended")
    return seen.state, int(seen.switches[0]) if seen.switches else 0
