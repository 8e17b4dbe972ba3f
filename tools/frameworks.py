"""Measure the frameworks of docs/frameworks.md: system calls for an echo, and the whole suite.

    python -m tools.frameworks                   # all that can run here, some twenty minutes
    python -m tools.frameworks trio 'trio, careful'
    python -m tools.frameworks --calls-only      # strace(1) alone, a minute or two

It prints the rows of the table.  `calls 1` is what one client costs that waits for each answer,
`calls 50` what an echo costs if fifty clients speak at once; both are counted by strace, in the
steady state, over all threads of the server, less those that only move memory.
"""

import argparse
import collections
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from echo.lab.conformance import REQUIREMENTS, Failed, put, title
from echo.lab.run.foreign import EVERY, command_of, missing, version_of
from echo.lab.run.process import NotAsked, Process
from echo.lab.run.program import leaving_nobody

RUNS = 3  # of the suite
MESSAGE = b"x" * 64
PAUSE = 0.02  # seconds between the messages of one client: it comes to rest each time
MEMORY = {"mmap", "mremap", "munmap", "brk", "madvise"}  # is malloc()'s affair, not the server's
ATTACHED = 1.0  # seconds in which strace has attached to every thread


def main() -> None:
    parser = argparse.ArgumentParser("python -m tools.frameworks", description=__doc__)
    parser.add_argument("names", nargs="*", default=[*EVERY])
    parser.add_argument("--calls-only", action="store_true")
    options = parser.parse_args()
    with leaving_nobody():
        for name in options.names:
            if lacks := missing(name):
                print(f"| {name} | cannot run here: {lacks} |", flush=True)
                continue
            one, fifty = (calls_of(name, clients) for clients in (1, 50))
            print(f"| {name} {version_of(name)} | {words(one)} | {words(fifty)} |", flush=True)
            if not options.calls_only:
                for line in suite_of(name):
                    print(f"    {line}", flush=True)


def calls_of(name: str, clients: int) -> dict[str, float]:
    """System calls for one echo, by name; {} where there is no strace."""
    if not shutil.which("strace"):
        return {}
    process = Process(command_of(name))
    socks = [socket.create_connection(process.address, timeout=10) for _ in range(clients)]
    pause, warm, rounds = (PAUSE, 20, 100) if clients == 1 else (0, 100, 40)
    try:
        for sock in socks:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        speak(socks, warm, pause)
        with tempfile.NamedTemporaryFile("r", encoding="utf-8") as log:
            argv = ["strace", "-f", "-qq", "-o", log.name, "-p", str(process.pid)]
            tracer = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
            time.sleep(ATTACHED)
            speak(socks, rounds, pause)
            tracer.send_signal(signal.SIGINT)
            tracer.wait()
            text = Path(log.name).read_text(encoding="utf-8")
    finally:
        for sock in socks:
            sock.close()
        process.end()
    names = re.findall(
        r"^\d+ +(?:<\.\.\. (\w+) resumed|(\w+)\(.*(?<!unfinished \.\.\.>)$)", text, re.M
    )
    counts = collections.Counter(resumed or whole for resumed, whole in names)
    for call in MEMORY:
        counts.pop(call, None)
    return {call: count / clients / rounds for call, count in counts.most_common()}


def speak(socks: list[socket.socket], rounds: int, pause: float) -> None:
    for _ in range(rounds):
        for sock in socks:
            sock.sendall(MESSAGE)
        for sock in socks:
            left = len(MESSAGE)
            while left:
                left -= len(sock.recv(left))
        time.sleep(pause)


def words(calls: dict[str, float]) -> str:
    """The sum, and what makes up most of it."""
    if not calls:
        return "there is no strace here"
    parts = ", ".join(f"{call} {count:.2f}" for call, count in calls.items() if count >= 0.05)
    return f"{sum(calls.values()):.1f}: {parts}"


def suite_of(name: str) -> list[str]:
    """What became of every requirement, asked RUNS times."""
    failed: collections.Counter[str] = collections.Counter()
    asked = 0
    for one in REQUIREMENTS:
        for _ in range(RUNS):
            try:
                put(one, Process(command_of(name), one.buffer))
            except NotAsked:
                break
            except Failed:
                failed[title(one)] += 1
        else:
            asked += 1
    met = asked - len(failed)
    lines = [f"{met} of {asked} requirements met, each asked {RUNS} times"]
    return [*lines, *(f"failed {count} of {RUNS}: {one}" for one, count in failed.items())]


if __name__ == "__main__":
    main()
