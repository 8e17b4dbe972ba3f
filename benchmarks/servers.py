"""What is measured: our servers, and what people would use instead; and how each is to be had.

What a machine lacks costs a sentence, not the benchmark: Missing carries it.
"""

import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
HERE = ROOT / "benchmarks"
STRANGERS = ROOT / "docs" / "strangers"  # asyncio as many write it, judged there by the suite
VENV = ROOT / ".venv-bench"  # of the peers alone: the lab's own stays what is tested
C_EPOLL, UVLOOP, STREAMS = "C epoll", "uvloop Protocol", "asyncio streams"
SHORTEST = "shortest loop"  # what Python leaves to any server
BASES = (SHORTEST, C_EPOLL, UVLOOP, STREAMS)  # the first that is there is 1.00
OURS = ("epoll", "coroutine", "epoll_edge", "poll", "select", "threaded", "io_uring")
QUICK = ("epoll", "coroutine")  # of ours
PATIENCE = 60  # seconds that a compiler may take


class Missing(Exception):
    """What this machine does not have; the message is a sentence that says what to do."""


class Server(NamedTuple):
    """One row of the table."""

    name: str
    command: str  # with {port} in it
    ours: bool


def ours(names: Iterable[str] = OURS) -> list[Server]:
    return [Server(name, python("-m", "echo", name), True) for name in names]


def peers(workshop: Path) -> tuple[list[Server], list[str]]:
    """Those that can be had here, and a sentence for each thing that is missing.

    What must be compiled goes into the folder `workshop`.
    """
    wanted: dict[str, Callable[[], str]] = {
        C_EPOLL: lambda: f"{quote(compiled('peers/epoll.c', workshop))} {{port}}",
        UVLOOP: lambda: python(HERE / "peers" / "uvloop_protocol.py", by=peers_python()),
        SHORTEST: lambda: python(HERE / "peers" / "shortest_loop.py"),
        "asyncio Protocol": lambda: python(STRANGERS / "asyncio_protocol.py"),
        STREAMS: lambda: python(STRANGERS / "asyncio_streams.py"),
        "gevent": lambda: python(HERE / "peers" / "gevent_server.py", by=peers_python()),
        "Node": lambda: f"{quote(program('node'))} {quote(HERE / 'peers' / 'node.js')} {{port}}",
    }
    found, missing = [], []
    for name, command in wanted.items():
        try:
            found.append(Server(name, command(), False))
        except Missing as error:
            missing.append(str(error))
    return found, list(dict.fromkeys(missing))


def python(*words: object, by: Path | str = sys.executable) -> str:
    """A command for that interpreter."""
    return " ".join([quote(by), *map(quote, words), "{port}"])


def quote(word: object) -> str:
    return shlex.quote(str(word))


PACKAGES = {  # what Debian and Ubuntu call the package in which a program is
    "cc": "gcc libc6-dev",
    "node": "nodejs",
    "redis-benchmark": "redis-tools",
    "strace": "strace",
}
WITHOUT = {
    "cc": "There is no C compiler, so there is no C server to compare with and no load of our own",
    "node": "There is no Node, so there is no Node server",
    "redis-benchmark": "There is no redis-benchmark, so there is no load that others made",
    "strace": "There is no strace, so no system calls are counted",
}


def program(name: str) -> str:
    """Where it is; Missing if it is not."""
    names = [os.environ.get("CC", "cc"), "gcc", "clang"] if name == "cc" else [name]
    for one in names:
        if path := shutil.which(one):
            return path
    raise Missing(f"{WITHOUT[name]} (on Debian and Ubuntu: apt-get install {PACKAGES[name]}).")


def compiled(source: str, workshop: Path) -> Path:
    """The program that a C file of ours makes, in the folder `workshop`."""
    path = HERE / source
    target = workshop / path.stem
    if not target.exists():
        command = [program("cc"), "-O2", "-o", str(target), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["it does not say why"])[-1]
            raise Missing(f"The C compiler cannot compile {source}: {said}.")
    return target


def peers_python() -> Path:
    """The interpreter that has uvloop and gevent; the first time it is given them."""
    python = VENV / "bin" / "python"
    ready = VENV / "ready"
    pins = HERE / "constraints.txt"
    asked = [*extra("bench"), sys.version, str(VENV), pins.read_text(encoding="utf-8")]
    if ready.exists() and ready.read_text(encoding="utf-8") == "\n".join(asked):
        return python
    print("Installing uvloop and gevent into .venv-bench.", flush=True)
    uv = shutil.which("uv")
    make = [uv, "venv", "--python", sys.executable] if uv else [sys.executable, "-m", "venv"]
    pip = [uv, "pip", "install", "--python", str(python)] if uv else [str(python), "-m", "pip"]
    install = [*pip, *([] if uv else ["install"]), "-c", str(pins), *extra("bench")]
    shutil.rmtree(VENV, ignore_errors=True)
    for command in ([*make, str(VENV)], install):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            log = "No .venv-bench"
            if VENV.is_dir():
                (VENV / "setup.log").write_text(done.stdout + done.stderr, encoding="utf-8")
                log = ".venv-bench/setup.log says why"
            raise Missing(f"uvloop and gevent could not be installed (is there a network?): {log}.")
    ready.write_text("\n".join(asked), encoding="utf-8")
    return python


def extra(name: str) -> list[str]:
    """What an extra in pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["optional-dependencies"][name]


def versions(names: set[str]) -> str:
    """Of what stands behind the servers of these names, in one phrase."""
    found = [f"Python {sys.version.split()[0]}"]
    if names & {UVLOOP, "gevent"}:
        code = "from importlib.metadata import version as v; print(v('uvloop'), v('gevent'))"
        uvloop, gevent = first_line(str(VENV / "bin" / "python"), "-c", code).split()
        found += [f"uvloop {uvloop}", f"gevent {gevent}"]
    if "Node" in names:
        found.append(f"Node {first_line(program('node'), '--version').lstrip('v')}")
    if C_EPOLL in names:
        found.append(first_line(program("cc"), "--version"))
    if path := shutil.which("redis-benchmark"):
        found.append(" ".join(first_line(path, "--version").split()[:2]))
    return ", ".join(found)


def first_line(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout.partition("\n")[0]
