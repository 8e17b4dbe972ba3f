"""The tape: what the server called, all of it, nothing else, and the same each time."""

import ast
import gc
import importlib
import json
import math
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
import types
from collections import Counter
from contextlib import ExitStack

import pytest

from echo import blocking_server, select_server, threaded_server
from echo.lab import Crashed, Tape, settle, start, trace
from tests.paths import ROOT

NAMES = [path.stem for path in sorted(ROOT.glob("echo/*_server.py"))]
SERVERS = {name: importlib.import_module(f"echo.{name}").serve for name in NAMES}

ONE_AT_A_TIME = {"blocking_server"}  # it does not see the second client until the first leaves
NEVER_THE_SAME = {"nonblocking_server"}  # it asks as often as it can
# A FIN is worth two signals: they are one if the second comes before the first is taken.
ONE_SIGNAL_OR_TWO = {"sigio_server"}
EXCUSED = ONE_AT_A_TIME | NEVER_THE_SAME | ONE_SIGNAL_OR_TWO  # from one tape each time

# What strace calls a call, or the kernel of another machine -> what the tape calls it.
ON_TAPE = {
    "accept4": "accept4",
    "accept": "accept4",
    "recvfrom": "recvfrom",
    "sendto": "sendto",
    "close": "close",
    "pselect6": "pselect6",
    "select": "pselect6",
    "poll": "poll",
    "ppoll": "poll",
    "epoll_create1": "epoll_create1",
    "epoll_ctl": "epoll_ctl",
    "epoll_wait": "epoll_wait",
    "epoll_pwait": "epoll_wait",
    "rt_sigtimedwait": "rt_sigtimedwait",
    "io_uring_enter": "io_uring_enter",
}


@pytest.fixture(autouse=True)
def modules_are_as_before():
    """Each test leaves the real functions in their places."""
    before = [getattr(module, name) for name, module in trace.HOME.items()]
    yield
    assert [getattr(module, name) for name, module in trace.HOME.items()] == before


def lines(tape):
    return [str(call) for call in tape]


def serve_in(source, **names):
    """The function serve() of a module whose text is `source`."""
    module = types.ModuleType("a_server")
    module.__dict__.update(names)
    exec(source, module.__dict__)
    return module.serve


# The tape against strace, on one and the same run.

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
end, calls, asleep = time.time(), [call[2:] for call in tape], tape.sleeps()
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


def strace():
    """strace's path; where CI runs, a machine without it has failed."""
    path = shutil.which("strace")
    if path is None and not os.environ.get("CI"):
        pytest.skip("strace is not installed")
    assert path, "strace is not installed"
    return path


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


def name_is_known(program, name):
    """Not every machine has a call of each name."""
    done = subprocess.run(
        [program, "-e", f"trace={name}", "true"], capture_output=True, timeout=20, check=False
    )
    return done.returncode == 0


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


# Whose calls are on it.


def test_two_servers_of_one_module_have_two_tapes():
    """A lesson compares two runs side by side."""
    one, two = Tape(), Tape()
    with start(select_server.serve, one) as first, start(select_server.serve, two) as second:
        with first.connect() as client:
            client.send(b"x")
        assert one.names().count("recvfrom") == 2
        assert two.names() == []
        with second.connect():
            pass
        assert one.names().count("accept4") == 2  # one of them: EAGAIN
        assert two.names().count("accept4") == 2


def test_ended_server_does_not_take_the_tape_of_another():
    """Both run the same module; the one that lives on is recorded on."""
    one, two = Tape(), Tape()
    with start(select_server.serve, two) as second:
        with start(select_server.serve, one):
            pass
        with second.connect():
            pass
        assert two.names().count("pselect6") == 2


def test_what_the_notebook_calls_is_on_no_tape():
    """Neither its select() nor what it sends."""
    tape = Tape()
    with start(select_server.serve, tape) as server, server.connect() as client:
        before = len(tape)
        assert select.select([], [client], [], 0) == ([], [client], [])
        poller = select.poll()
        poller.register(client, select.POLLOUT)
        assert poller.poll(0)
        with select.epoll() as poller:
            poller.register(client)
            poller.poll(0)
            assert isinstance(poller, select.epoll)
        assert len(tape) == before


def test_what_the_bench_calls_is_on_no_tape():
    """It asks the kernel all the time."""
    tape = Tape()
    with start(select_server.serve, tape) as server:
        for _ in range(5):
            settle(server)
        assert lines(tape) == []
        assert tape.sleeps() == ["pselect6"]
    assert lines(tape) == []


def test_threads_that_a_server_starts_are_recorded():
    """The calls of a threaded server are made by its children."""
    tape = Tape()
    with start(threaded_server.serve, tape) as server, server.connect() as client:
        client.send(b"hello")
        assert tape.names() == ["accept4", "recvfrom", "sendto"]
        assert sorted(tape.sleeps()) == ["accept4", "recvfrom"]


def test_threads_of_threads_are_recorded():
    """Ownership is handed down."""

    def serve(listener):
        thread(lambda: thread(lambda: blocking_server.serve(listener)))
        threading.Event().wait(0.05)
        while True:
            select.select([], [], [], 0.01)

    def thread(target):
        threading.Thread(target=target, daemon=True).start()

    tape = Tape()
    with start(serve, tape) as server, server.connect() as client:
        client.send(b"x")
        assert client.recv(1) == b"x"
        assert Counter(tape.names()) >= Counter(["accept4", "recvfrom", "sendto"])


# What stands on it.


def conversation(serve, *, tape=None):
    """Two clients act, one after the other, and leave."""
    tape = Tape() if tape is None else tape
    with start(serve, tape) as server:
        one, two = server.connect(), server.connect()
        for client in one, two, one:
            client.send(b"hello")
            assert client.recv(100) == b"hello"
        for client in one, two:
            client.shutdown(socket.SHUT_WR)
            assert client.recv(1) == b""
            client.close()
    return tape


def test_select_tape_can_be_read():
    """Descriptors by role, bytes by number, errors by name: this is what a lesson shows."""
    assert str(conversation(select_server.serve)).splitlines() == [
        "pselect6([listener], []) = [listener], []",
        "accept4(listener) = client 1",
        "accept4(listener) = EAGAIN",
        "pselect6([listener, client 1], []) = [listener], []",
        "accept4(listener) = client 2",
        "accept4(listener) = EAGAIN",
        "pselect6([listener, client 1, client 2], []) = [client 1], []",
        "recvfrom(client 1) = 5",
        "sendto(client 1) = 5",
        "pselect6([listener, client 1, client 2], []) = [client 2], []",
        "recvfrom(client 2) = 5",
        "sendto(client 2) = 5",
        "pselect6([listener, client 1, client 2], []) = [client 1], []",
        "recvfrom(client 1) = 5",
        "sendto(client 1) = 5",
        "pselect6([listener, client 1, client 2], []) = [client 1], []",
        "recvfrom(client 1) = 0",
        "close(client 1) = 0",
        "pselect6([listener, client 2], []) = [client 2], []",
        "recvfrom(client 2) = 0",
        "close(client 2) = 0",
    ]


@pytest.mark.timing
@pytest.mark.parametrize("name", sorted({*NAMES} - EXCUSED))
def test_tape_is_the_same_each_time(name):
    """Twenty of twenty: nbval compares it with the stored one, on machines fast and slow."""
    serve = SERVERS[name]
    tapes = Counter(str(conversation(serve)) for _ in range(20))
    assert len(tapes) == 1, tapes


def test_tape_says_where_the_server_sleeps():
    """The call that has not returned is half of the story."""
    tape = Tape()
    with start(select_server.serve, tape) as server, server.connect():
        assert str(tape).splitlines()[-1] == "pselect6([listener, client 1], []) ... asleep"
    assert "asleep" not in str(tape)


def test_tape_without_a_call_says_so():
    """An empty string would look like a fault of the lesson."""
    assert str(Tape()) == repr(Tape()) == "(no call yet)"


def test_tape_that_saw_no_wait_says_so():
    """It would pass for that of a server that is always busy; `selectors` keeps the real epoll."""
    serve = serve_in("""
import selectors
def serve(listener):
    listener.setblocking(False)
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        while True:
            selector.select()
            listener.accept()[0].close()
""")
    tape = Tape()
    with start(serve, tape) as server, server.connect():
        pass
    assert str(tape).splitlines()[:-1] == ["accept4(listener) = client 1", "close(client 1) = 0"]
    assert str(tape).splitlines()[-1].startswith("(no wait among them")


def test_error_is_named():
    """EAGAIN and ECONNRESET are what the lessons talk about, not 11 and 104."""
    tape = Tape()
    with start(select_server.serve, tape) as server:
        client = server.connect()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1] + 7 * [0]))
        client.close()
    assert "accept4(listener) = EAGAIN" in lines(tape)
    assert "recvfrom(client 1) = ECONNRESET" in lines(tape)


def test_partial_sends_are_written_one_by_one():
    """sendall() is a loop of ours: in the kernel it is as many sendto() as it takes."""
    tape = Tape()
    with start(blocking_server.serve, tape, buffer=4096) as server, server.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        sent = client.send(bytes(60_000))
        client.settimeout(5)
        received = 0
        while received < sent:
            received += len(client.recv(1000))
        settle(server)
        sums = Counter()
        for call in tape:
            sums[call.name] += int(call.result) if call.result.isdigit() else 0
        assert sums["sendto"] == sums["recvfrom"] == sent


def test_recv_into_is_a_recvfrom_too():
    """A learner may know it."""
    serve = serve_in("""
def serve(listener):
    room = bytearray(10)
    while True:
        with listener.accept()[0] as sock:
            while count := sock.recv_into(room):
                sock.sendall(room[:count])
""")
    tape = Tape()
    with start(serve, tape) as server, server.connect() as client:
        client.send(b"abc")
        assert client.recv(3) == b"abc"
    assert lines(tape)[:3] == [
        "accept4(listener) = client 1",
        "recvfrom(client 1) = 3",
        "sendto(client 1) = 3",
    ]


def test_times_go_forward():
    """A call ends after it began, and stands where it ended."""
    tape = conversation(select_server.serve)
    assert all(call.start <= call.end for call in tape)
    assert [call.end for call in tape] == sorted(call.end for call in tape)


def test_tape_has_an_end(monkeypatch):
    """A server that spins would fill the memory in minutes; it says what is missing."""
    monkeypatch.setattr(Tape, "MOST", 5)
    tape = conversation(select_server.serve)
    assert len(tape) == 5
    assert str(tape).splitlines()[-1] == "... and 16 calls more, not kept"


def test_long_tape_is_printed_with_its_ends(monkeypatch):
    """Nobody reads ten thousand lines, and a notebook would store them."""
    tape = conversation(select_server.serve)
    assert len(tape) == 21
    monkeypatch.setattr(Tape, "WHOLE", 21)
    whole = str(tape).splitlines()
    assert len(whole) == 21
    monkeypatch.setattr(Tape, "WHOLE", 20)
    monkeypatch.setattr(Tape, "ENDS", 3)
    left_out = "... 15 calls, not printed: tape[10:50] are some of them"
    assert str(tape).splitlines() == [*whole[:3], left_out, *whole[-3:]]


def never_hears_the_end(listener):
    sock, _ = listener.accept()
    while True:
        sock.send(sock.recv(100))  # b"" is sent, and costs nothing


def test_call_of_a_server_that_spins_is_not_called_asleep():
    """Every call of this one can sleep, and after the end of input none does."""
    tape = Tape()
    with start(never_hears_the_end, tape) as server, server.connect() as client:
        client.send(b"hello")
        assert client.recv(100) == b"hello"
        assert str(tape).splitlines()[-1] == "recvfrom(client 1) ... asleep"
        client.shutdown(socket.SHUT_WR)
        for _ in range(20):
            assert "asleep" not in str(tape)


def echoes(sock):
    """Seconds of processor time that a few echoes take, of the client and the server together."""
    began = time.process_time()
    for _ in range(10):
        sock.send(b"hello")
        assert sock.recv(100) == b"hello"
    return time.process_time() - began


def cost_of_tracing(serve, idle=0):
    """How many times as much an echo takes on a tape; `idle`: so many others are there.

    The best of many short rounds counts, in which the two take turns: whatever else runs
    makes one dearer, never cheaper.  Where the best are not good enough, better ones may come.
    """
    plain, taped = math.inf, math.inf
    for _ in range(10):
        tape = Tape()
        with start(serve) as one, start(serve, tape) as other, ExitStack() as stack:
            socks = []
            for server in one, other:
                with server.hold():
                    for _ in range(idle + 1):
                        sock = socket.create_connection(server.address, timeout=5)
                        stack.enter_context(sock)
                socks.append(sock)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                echoes(sock)
            for _ in range(120):
                plain, taped = min(plain, echoes(socks[0])), min(taped, echoes(socks[1]))
        assert not tape.missed  # to count a call is cheaper than to keep it
        if taped <= 2 * plain:
            break
    return taped / plain


@pytest.mark.timing
@pytest.mark.parametrize("name", sorted({*NAMES} - NEVER_THE_SAME))
def test_tracing_costs_no_more_than_the_echo_itself(name):
    """So what is measured of a server on a tape has not become another thing by that.

    Who never sleeps takes what there is, with a tape or without.
    """
    assert cost_of_tracing(SERVERS[name]) <= 2


@pytest.mark.timing
@pytest.mark.parametrize("name", ["select_server", "poll_server", "epoll_server"])
def test_beside_a_hundred_clients_it_costs_no_more(name):
    """A wait that names them all is put into words once, and not in each turn."""
    assert cost_of_tracing(SERVERS[name], idle=100) <= 2


@pytest.mark.parametrize("name", ["select_server", "poll_server"])
def test_what_a_wait_is_asked_is_written_anew_when_it_changes(name):
    """Who comes is a client of his own, also with the descriptor of one who has left."""
    tape = Tape()
    with start(SERVERS[name], tape) as server:
        for _ in range(3):
            with server.connect() as client:
                client.send(b"x")
                assert client.recv(1) == b"x"
    asked = [re.findall(r"client \d", call.who) for call in tape if call.name in trace.WAITS]
    assert [who[0] for who in asked if who] == [f"client {number // 2}" for number in range(2, 8)]


@pytest.mark.parametrize("name", ["blocking_server", "threaded_server", "select_server"])
def test_long_run_does_not_grow_without_bound(name, monkeypatch):
    """Neither by its calls nor by its clients: a notebook's kernel lives for days."""
    monkeypatch.setattr(Tape, "MOST", 100)

    def size_after_many_clients():
        for _ in range(512):
            with socket.create_connection(server.address, timeout=5) as client:
                for _ in range(4):
                    client.send(b"hello")
                    assert client.recv(100) == b"hello"
        settle(server)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tape = Tape()
    tracemalloc.start()
    try:
        with start(SERVERS[name], tape) as server:
            before = size_after_many_clients()
            assert size_after_many_clients() - before < 32 * 1024  # bytes; 64 for each client
    finally:
        tracemalloc.stop()
    assert len(tape) == 100
    assert tape.missed > 8000


def test_clear_forgets_the_calls_and_keeps_the_roles():
    """A lesson records the part that it is about."""
    tape = Tape()
    with start(select_server.serve, tape) as server, server.connect() as first:
        with server.connect() as second:
            tape.clear()
            assert lines(tape) == []
            second.send(b"x")
            assert lines(tape)[1] == "recvfrom(client 2) = 1"
        first.send(b"x")
        assert "recvfrom(client 1) = 1" in lines(tape)


def test_nothing_is_recorded_after_the_end():
    """How the bench stops a server is no part of what it did."""
    tape = Tape()
    with start(select_server.serve, tape) as server, server.connect():
        before = str(tape).splitlines()
        server.stop()
        assert str(tape).splitlines() == before[:-1]  # the call that slept has not returned


def test_tape_can_be_used_again():
    """For the next server; what was recorded stays until clear()."""
    tape = conversation(select_server.serve)
    count = len(tape)
    assert len(conversation(select_server.serve, tape=tape)) == 2 * count


# The stand-ins.


@pytest.mark.parametrize("end", ["stop", "crash"])
def test_module_select_is_restored(end):
    """By whatever the server ended."""
    real = select.select, select.poll, select.epoll
    serve = select_server.serve if end == "stop" else serve_in("def serve(listener): 1 / 0")
    server = start(serve, Tape())
    if end == "stop":
        assert select.select is not real[0]
        server.stop()
    else:
        with pytest.raises(Crashed):
            server.stop()
    assert (select.select, select.poll, select.epoll) == real


def test_module_select_is_restored_after_the_last_of_two():
    """Not with the first: the other is still recorded."""
    real = select.select
    one, two = start(select_server.serve, Tape()), start(select_server.serve, Tape())
    one.stop()
    assert select.select is not real
    two.stop()
    assert select.select is real


def test_names_in_the_servers_module_are_recorded_and_restored():
    """`from select import select` is as good as `import select`."""
    serve = serve_in("""
from select import select as wait, epoll
def serve(listener):
    while True:
        wait([listener], [], [])
        listener.accept()[0].close()
""")
    names, real = serve.__globals__, select.select
    tape = Tape()
    with start(serve, tape) as server, server.connect():
        assert names["wait"] is not real
    assert lines(tape)[0] == "pselect6([listener], []) = [listener], []"
    assert (names["wait"], names["epoll"]) == (real, select.epoll)


def test_taped_server_may_use_all_of_the_modules_interface():
    """Any iterable, a timeout, an int or an object, isinstance, closed."""
    serve = serve_in("""
import select
def serve(listener):
    assert select.select(iter([listener]), {}, (), 0) == ([], [], [])
    poller = select.poll()
    poller.register(listener.fileno())
    poller.modify(listener, select.POLLIN)
    assert poller.poll(0) == []
    poller.unregister(listener)
    with select.epoll() as epoll:
        assert isinstance(epoll, select.epoll)
        epoll.register(listener, select.EPOLLIN | select.EPOLLET)
        epoll.modify(listener.fileno(), select.EPOLLIN)
        assert epoll.poll(timeout=0, maxevents=1) == []
        epoll.unregister(listener)
    assert epoll.closed
    while True:
        select.select([listener], [], [])
        listener.accept()[0].close()
""")
    tape = Tape()
    with start(serve, tape) as server, server.connect():
        pass
    assert lines(tape)[:9] == [
        "pselect6([listener], []) = [], []",
        "poll([listener IN]) = []",
        "epoll_create1() = epoll",
        "epoll_ctl(ADD listener IN|ET) = 0",
        "epoll_ctl(MOD listener IN) = 0",
        "epoll_wait() = []",
        "epoll_ctl(DEL listener) = 0",
        "close(epoll) = 0",
        "pselect6([listener], []) = [listener], []",
    ]


def test_every_waiting_call_of_a_server_can_be_taped():
    """Who adds a server that waits in something new hears of it here."""
    known = {"select", "poll", "epoll"}
    for name in NAMES:
        tree = ast.parse((ROOT / "echo" / f"{name}.py").read_text(encoding="utf-8"))
        used = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "select"
        }
        assert {one for one in used if one.islower()} <= known
