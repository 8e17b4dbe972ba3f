"""The tape against strace, on one and the same run: all that the server called, and no more."""

import json
import re
import subprocess
import sys

import pytest

from tests.lab.record.taped import NAMES, NEVER_THE_SAME, ONE_AT_A_TIME
from tests.paths import ROOT
from tests.strace import ON_TAPE, name_is_known, strace

LESSON = """
import json, sys, time
sys.path.insert(0, sys.argv[3])
from importlib import import_module
from echo.lab import Tape, settle, start

def note_threads():
    settle(server)
    threads.update(server.tids())

spins = sys.argv[2] == "spins"
Tape.MOST = 300 if spins else 10_000
tape, threads = Tape(), set()
server = start(import_module(sys.argv[1]).serve, tape)
note_threads()
first = server.connect()
first.send(b"one")
first.recv(100)
note_threads()
if sys.argv[2] != "one":
    second = server.connect()
    note_threads()
    second.send(b"two!")
    second.recv(100)
    first.send(b"three")
    first.recv(100)
    second.close()
first.close()
note_threads()
calls = [(call.name, call.who, call.result) for call in tape]
end, asleep = time.time(), tape.sleeps()
server.stop()
print(json.dumps({"end": end, "calls": calls, "asleep": asleep, "threads": sorted(threads)}))
"""

# Servers on what our own do not use yet, to be compared as well.
POLL = """
import select
def serve(listener):
    poller, socks = select.poll(), {}
    poller.register(listener, select.POLLIN)
    while True:
        for fd, _ in poller.poll():
            if fd == listener.fileno():
                sock, _ = listener.accept()
                socks[sock.fileno()] = sock
                poller.register(sock, select.POLLIN)
                continue
            poller.modify(fd, select.POLLIN | select.POLLOUT)
            if data := socks[fd].recv(100):
                socks[fd].sendall(data)
                poller.modify(fd, select.POLLIN)
            else:
                poller.unregister(fd)
                socks.pop(fd).close()
"""

EPOLL = POLL.replace("poller, socks = select.poll()", "poller, socks = select.epoll()")

NAMED = POLL.replace("import select", "import select; from select import epoll").replace(
    "select.poll()", "epoll()"
)


def traced_run(module, folder, *arguments):
    """What LESSON says of its tape, and strace's lines: [(time, thread, line)] in order of end."""
    program = strace()
    traced = ",".join(name for name in ON_TAPE if name_is_known(program, name))
    done = subprocess.run(
        [
            *[program, "-ff", "-ttt", "-T", "-e", f"trace={traced}", "-o", str(folder / "strace")],
            *[sys.executable, "-c", LESSON, module, *arguments, str(folder)],
        ],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)
    found = []
    for thread in run["threads"]:
        for line in (folder / f"strace.{thread}").read_text().splitlines():
            began, text = line.split(" ", 1)
            lasted = re.search(r"<([\d.]+)>$", text)
            if lasted and float(began) < run["end"]:
                found.append((float(began) + float(lasted[1]), thread, text, float(began)))
    return run, sorted(found)


class Roles:
    """Descriptors by role, as the calls go by."""

    def __init__(self):
        self.of = {}
        self.clients = 0

    def __getitem__(self, fd):
        return self.of.get(int(fd), "another descriptor")

    def call(self, text):
        """strace's line as the tape writes it: (name, who, result)."""
        name, arguments, result = re.match(r"(\w+)\((.*)\)\s+= (.*?)(?: <[\d.]+>)?$", text).groups()
        name = ON_TAPE[name]
        error = re.match(r"-1 (E\w+)", result)
        who, value = getattr(self, name)(arguments, result, bool(error))
        return [name, who, error[1] if error else value]

    def accept4(self, arguments, result, failed):
        self.of[int(arguments.split(",")[0])] = "listener"
        if failed:
            return "listener", ""
        self.clients += 1
        self.of[int(result)] = f"client {self.clients}"
        return "listener", f"client {self.clients}"

    def recvfrom(self, arguments, result, failed):
        return self[arguments.split(",")[0]], result

    sendto = close = recvfrom

    def pselect6(self, arguments, result, failed):
        sets = re.findall(r"(\[[\d ]*\]|NULL)", arguments)[:2]
        found = {word: fds.split() for word, fds in re.findall(r"(in|out) \[([\d ]*)\]", result)}
        asked = ", ".join(self.list(fds.strip("[]").replace("NULL", "").split()) for fds in sets)
        return asked, ", ".join(self.list(found.get(word, [])) for word in ("in", "out"))

    def list(self, fds):
        return f"[{', '.join(in_order(self[fd] for fd in fds))}]"

    def poll(self, arguments, result, failed):
        return self.flags("fd=", "events", arguments), self.flags("fd=", "revents", result)

    def flags(self, fd, events, text):
        found = re.findall(rf"{fd}(\d+), {events}=([\w|]+)", text)
        of = {self[fd]: flags.replace("EPOLL", "").replace("POLL", "") for fd, flags in found}
        return f"[{', '.join(f'{role} {of[role]}' for role in in_order(of))}]"

    def epoll_create1(self, arguments, result, failed):
        self.of[int(result)] = "epoll"
        return "", "epoll"

    def epoll_ctl(self, arguments, result, failed):
        _, operation, fd, event = arguments.split(", ", 3)
        flags = re.search(r"events=([\w|]+)", event)
        flags = f" {flags[1].replace('EPOLL', '')}" if flags and "DEL" not in operation else ""
        return f"{operation.removeprefix('EPOLL_CTL_')} {self[fd]}{flags}", result

    def epoll_wait(self, arguments, result, failed):
        events = re.findall(r"events=([\w|]+), data={u32=(\d+)", arguments)
        of = {self[fd]: flags.replace("EPOLL", "") for flags, fd in events}
        return "", f"[{', '.join(f'{role} {of[role]}' for role in in_order(of))}]"

    def rt_sigtimedwait(self, arguments, result, failed):
        signals = re.match(r"\[([A-Z0-9 ]+)\]", arguments)[1].split()
        taken = re.search(r"\((SIG\w+)\)", result)
        return ", ".join(f"SIG{name}" for name in sorted(signals)), taken and taken[1]

    def io_uring_enter(self, arguments, result, failed):
        _, written, wait, _ = arguments.split(", ", 3)
        return f"hand over {written}, wait for {wait}", result


def in_order(roles):
    """The listener first, then the clients by number."""
    return sorted(roles, key=lambda role: (role != "listener", len(role), role))


def compare(run, found, complete=True):
    """The tape and strace's list, per thread: threads run side by side, in no certain order."""
    roles = Roles()
    roles.of |= {int(fd): "listener" for fd in listener_of(found)}
    per_thread = {}
    for _, thread, text, _ in found:
        per_thread.setdefault(thread, []).append(roles.call(text))
    taped = run["calls"]
    if not complete:
        ((thread, calls),) = per_thread.items()
        assert len(taped) == 300
        assert taped == calls[:300]
        return
    assert sum(map(len, per_thread.values())) == len(taped) + len(run["asleep"])
    for calls in per_thread.values():
        who = {call[1] for call in calls}
        mine = [call for call in taped if len(per_thread) == 1 or call[1] in who]
        assert mine == calls[: len(mine)]  # strace has also the one that stop() ended
        assert [name for name, _, _ in calls[len(mine) :]] in ([], ["accept4"], run["asleep"])


def listener_of(found):
    """Its descriptor: that of the first accept()."""
    texts = [text for _, _, text, _ in found]
    return re.findall(r"^accept4?\((\d+)", "\n".join(texts), re.MULTILINE)[:1]


@pytest.mark.parametrize("name", NAMES)
def test_tape_equals_strace(name, tmp_path):
    """A lesson may claim only what an instrument shows: here the instrument is held to another.

    The non-blocking server never rests: of its calls the first 300 are compared.
    """
    spins = name in NEVER_THE_SAME
    how = "spins" if spins else "one" if name in ONE_AT_A_TIME else "two"
    run, found = traced_run(f"echo.{name}", tmp_path, how)
    compare(run, found, complete=not spins)


@pytest.mark.parametrize("source", [POLL, EPOLL, NAMED], ids=["poll", "epoll", "from select"])
def test_tape_of_a_learners_server_equals_strace(source, tmp_path):
    """Whatever it waits in, under whatever name."""
    (tmp_path / "learner.py").write_text(source)
    run, found = traced_run("learner", tmp_path, "two")
    assert {"poll", "epoll_wait"} & {name for name, _, _ in run["calls"]}
    compare(run, found)
