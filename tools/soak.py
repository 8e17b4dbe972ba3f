"""Repeat what depends on time on a busy machine; stop at the first failure.

Usage: python -m tools.soak [--rounds 2]

A round runs a third of the tests that depend on time, and four lessons: the next in turn.  So in
ten rounds each is run three times or four; all of them in each round would take 45 minutes.

nbval is left to make test: tools.execute runs the same cells and compares every byte of them.
"""

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

from tools import ROOT

LESSONS = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("notebooks/*.ipynb"))
LIMIT = 60  # minutes, for everything; on two cores it takes 22 to 40
BUSY = 2  # processes that only compute

Steps = dict[str, list[str]]  # commands by name
A_ROUND = 4  # lessons: ten rounds run each of thirteen three times

PYTEST = [sys.executable, "-m", "pytest"]
TESTS = [*PYTEST, "-n", "5", "-m", "timing and not soak", "tests"]
CHECK = [sys.executable, "-m", "tools.execute", "--check", "--jobs", "3"]
ONCE = {"soak tests": [*PYTEST, "-n", "5", "-m", "soak", "tests"]}

COMPUTE = """
import os
parent = os.getppid()
while os.getppid() == parent:  # an orphan ends by itself
    sum(range(1_000_000))
"""


def steps_of(number: int, lessons: Sequence[str] = LESSONS) -> Steps:
    """What round `number`, from 1 on, consists of."""
    first = A_ROUND * (number - 1)
    turn = [lessons[(first + i) % len(lessons)] for i in range(min(A_ROUND, len(lessons)))]
    return {"tests": [*TESTS, f"--turn={number}"], "lessons": [*CHECK, *turn]}


@contextlib.contextmanager
def busy_machine() -> Iterator[None]:
    """Let others want the processor as well."""
    others = [subprocess.Popen([sys.executable, "-c", COMPUTE]) for _ in range(BUSY)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def fault(command: Sequence[str], deadline: float) -> str | None:
    """Run `command`; None, or what went wrong, with its output printed."""
    with tempfile.TemporaryFile() as output:
        code: int | None = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = subprocess.run(
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=max(0, deadline - time.monotonic()),
            ).returncode
        if code == 0:
            return None
        output.seek(0)
        print(output.read().decode(errors="replace"))
        return f"not done {LIMIT} minutes after the start" if code is None else f"exit code {code}"


def run(name: str, steps: Steps, deadline: float) -> None:
    """Run `steps` one after the other; exit where one fails."""
    start = time.monotonic()
    for step, command in steps.items():
        if found := fault(command, deadline):
            sys.exit(f"soak: {name}, {step}: {found}")
    print(f"{name}: passed in {time.monotonic() - start:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser("python -m tools.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    start = time.monotonic()
    deadline = start + 60 * LIMIT
    with busy_machine():
        for number in range(1, rounds + 1):
            run(f"round {number} of {rounds}", steps_of(number), deadline)
        run("once", ONCE, deadline)
    print(f"soak: all passed in {(time.monotonic() - start) / 60:.1f} of {LIMIT} minutes")


if __name__ == "__main__":
    main()
