"""How servers watch their sockets: the flags on their epoll entries, read from outside.

    watched("asyncio", "redis", "nginx")    # a table: the listener's flags, and a client's

Each program is started as a process of its own, gets one client that says nothing, and is ended
again.  What it has asked for with epoll_ctl(2) is in /proc/<pid>/fdinfo (proc(5), "tfd:"); which
entry belongs to the client is in the kernel's list of sockets and in /proc/<pid>/fd.
"""

import contextlib
import os
import re
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from echo.lab.kernel.processes import descriptors
from echo.lab.kernel.sockets import ALWAYS
from echo.lab.kernel.tcp_table import tcp_sockets
from echo.lab.run.process import Process, Unusable
from echo.lab.show.tables import Table, table_html, table_text
from echo.lab.words import flag_names

LISTED = 10.0  # seconds for a client to be on the list, on a machine with a lot to do
WATCHED_HEADS = ("program", "its listener", "a client")

ASYNCIO = (
    "import asyncio, sys; loop = asyncio.new_event_loop(); "
    "loop.run_until_complete("
    "loop.create_server(asyncio.Protocol, '127.0.0.1', int(sys.argv[1]))); loop.run_forever()"
)
NGINX = (  # two workers, since most machines have several: with one there is no herd to avoid
    "daemon off; pid nginx.pid; worker_processes 2; events {} http { access_log off; "
    "client_body_temp_path t; proxy_temp_path t; fastcgi_temp_path t; uwsgi_temp_path t; "
    "scgi_temp_path t; server { listen 127.0.0.1:{port}; } }"
)


class Watched(NamedTuple):
    """The flags of two entries, as interest_list() writes them: "IN|OUT|ET"."""

    listener: str
    client: str


class Program(NamedTuple):
    """A server to start: {program} is what must be installed, {folder} an empty folder."""

    command: str  # as Process takes it
    program: str = sys.executable
    recorded: Watched | None = None  # what `version` showed on Linux 6.18, 2026-11-28
    version: str = ""


WATCHABLE = {
    "epoll_server": Program("'{program}' -m echo epoll {port}"),
    "epoll_edge_server": Program("'{program}' -m echo epoll_edge {port}"),
    "asyncio": Program(f"'{{program}}' -c \"{ASYNCIO}\" {{port}}"),
    "redis": Program(
        "'{program}' --port {port} --bind 127.0.0.1 --save '' --dir '{folder}'",
        "redis-server",
        Watched("IN", "IN"),
        "Redis 7.0.15",
    ),
    "nginx": Program(
        f'sh -c \'cd "{{folder}}" && echo "{NGINX}" >nginx.conf && '
        "exec {program} -e stderr -p . -c nginx.conf'",
        "nginx",
        Watched("IN|EXCLUSIVE", "IN|RDHUP|ET"),
        "nginx 1.22.1",
    ),
}


class Watchers(Table):
    """The flags of each program; row("redis").client is "IN"."""

    def __init__(self, rows: dict[str, Watched], notes: str = "") -> None:
        lines = [(name, *row) for name, row in rows.items()]
        markup = table_html("Flags of epoll entries", WATCHED_HEADS, lines)
        super().__init__(rows, table_text(WATCHED_HEADS, lines), [markup], notes)


def watched(*names: str) -> Watchers:
    """Start each of these programs and read which flags its epoll entries have.

    `names`: of WATCHABLE.
    Where Redis or nginx is not installed, the table shows what a recorded
    version has shown, and a line that begins `recorded:` says so.
    Raises ValueError for a name that is not there, RuntimeError if a program fails to start or
    has no entry for its client.
    """
    for name in names:
        if name not in WATCHABLE:
            raise ValueError(f"cannot watch {name!r}, only {', '.join(WATCHABLE)}")
    rows, notes = {}, ""
    for name in names:
        program = WATCHABLE[name]
        path = path_of(program.program)
        if path is not None:
            rows[name] = look_at(name, program, path)
        elif program.recorded is not None:
            rows[name] = program.recorded
            notes += (
                f"recorded: no {program.program} here; its flags are those of {program.version}\n"
            )
    return Watchers(rows, notes)


def path_of(program: str) -> str | None:
    """Where a program is: on the PATH, or in the sbin beside a bin that is on it, as nginx is."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    beside = [f"{folder.removesuffix('bin')}sbin" for folder in folders if folder.endswith("/bin")]
    return shutil.which(program, path=os.pathsep.join([*folders, *beside]))


def look_at(name: str, program: Program, path: str) -> Watched:
    """Start one program, connect to it, read its entries, and end it."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # nginx's workers are somebody else if we are root
        command = program.command.replace("{program}", path).replace("{folder}", folder)
        with started(name, command) as process:
            return flags_of(name, process)


@contextlib.contextmanager
def started(name: str, command: str) -> Iterator[Process]:
    """The program while it runs; it and all its children are gone afterwards."""
    try:
        try:
            process = Process(command)
        except Unusable:  # if we were stopped meanwhile, its time ran out and ours did not
            process = Process(command)
    except Unusable as error:
        raise RuntimeError(f"{name}: {error}") from None
    try:
        yield process
    finally:
        process.end()


def flags_of(name: str, process: Process) -> Watched:
    """What a running program has asked for: of its listener, and of a client of ours."""
    port = process.address[1]
    with socket.create_connection(process.address, timeout=LISTED) as client:
        roles = {0: "listener", client.getsockname()[1]: "client"}  # by the port at the other end
        deadline = time.monotonic() + LISTED
        while True:
            late = time.monotonic() > deadline  # known before we look: we may have been stopped
            inodes = {
                f"socket:[{one.inode}]": roles[one.remote]
                for one in tcp_sockets(port)
                if one.local == port and one.remote in roles
            }
            found = {
                inodes[target]: flags
                for pid in process.members()
                for target, flags in entries_of(pid)
                if target in inodes
            }
            if len(found) == len(roles):
                return Watched(**found)
            if late:
                raise RuntimeError(f"{name}: no epoll instance of it watches our client")
            time.sleep(0.005)


def entries_of(pid: int) -> Iterator[tuple[str, str]]:
    """What each epoll instance of a process watches: ("socket:[<inode>]", flags)."""
    for fd in descriptors(pid):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{pid}/fd/{fd}") == "anon_inode:[eventpoll]":
                text = Path(f"/proc/{pid}/fdinfo/{fd}").read_text("ascii")
                for target, events in re.findall(r"tfd:\s*(\d+) events:\s*([0-9a-f]+)", text):
                    flags = flag_names(int(events, 16) & ~ALWAYS)
                    yield os.readlink(f"/proc/{pid}/fd/{target}"), flags
