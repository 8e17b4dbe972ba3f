"""The bench: a server in a thread is started, watched, and stopped whatever it does."""

import asyncio
import contextlib
import importlib
import json
import os
import re
import resource
import select
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import IPython
import pytest

from echo import blocking_server, nonblocking_server, select_server, threaded_server
from echo.lab import (
    Crashed,
    Tape,
    background,
    kernel,
    leftovers,
    settle,
    start,
    watch,
    where_is,
)
from echo.lab.zoo import Change, derive
from tests.paths import ROOT

SERVERS = {
    path.stem.removesuffix("_server"): importlib.import_module(f"echo.{path.stem}").serve
    for path in sorted(ROOT.glob("echo/*_server.py"))
}
every_server = pytest.mark.parametrize("serve", SERVERS.values(), ids=SERVERS)
FETCHED_BY_THE_KERNEL = {"io_uring"}  # no recv() of ours that could say something else
sloppy = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # the server, not we


def eventually(condition, seconds=5):
    """Whether it holds after a while: a thread needs a moment to be gone."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.001)
    return condition()


def tcp_sockets():
    """How many TCP sockets this process holds, whoever made them."""
    inodes = set()
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            inodes.update(re.findall(r"^socket:\[(\d+)\]$", os.readlink(f"/proc/self/fd/{fd}")))
    table = Path("/proc/self/net/tcp").read_text("ascii").splitlines()[1:]
    return sum(line.split()[9] in inodes for line in table)


@pytest.fixture(autouse=True)
def nothing_is_left(capfd):
    """Each test leaves no thread, no socket and no word on stderr behind."""
    threads, sockets = set(threading.enumerate()), tcp_sockets()
    yield
    left = list(background._servers)
    for server in left:
        server.end()
        forget(server)
    assert not left
    assert threading.Thread.start is background._start
    assert eventually(lambda: set(threading.enumerate()) <= threads | STAY)
    assert tcp_sockets() == sockets
    assert capfd.readouterr().err == ""


@pytest.fixture
def printed(capfd):
    """A function: what has been printed since it was last asked."""

    def printed():
        out, err = capfd.readouterr()
        assert err == ""
        return out

    return printed


@pytest.fixture
def hurried(monkeypatch):
    """The bench does not wait for servers that never come to rest."""
    monkeypatch.setattr(background, "REACTION", 0.02)


STAY = set()  # threads that cannot be ended


def forget(server):
    """A thread that stays is the subject of a test; the next one shall not hear of it."""
    STAY.update(server.threads)
    with background._lock:
        background._servers.pop(server, None)
        if not background._servers:
            threading.Thread.start = background._start


@contextlib.contextmanager
def in_less_than(seconds):
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


def run_python(source, *arguments):
    """What a process of its own prints; it must say nothing on stderr."""
    done = subprocess.run(
        [sys.executable, "-c", source, *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


# Start, connect, stop.


@every_server
def test_client_gets_its_echo(serve):
    """What everything else rests on; a client's socket is closed by a `with`, as any is."""
    with start(serve) as server, server.connect() as client:
        client.send(b"hello")
        assert client.recv(100) == b"hello"


@every_server
def test_with_block_ends_the_server(serve):
    """Its port is closed and its threads are gone when the next line runs."""
    with start(serve) as server:
        pass
    assert server.ended
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(server.address)


@every_server
@pytest.mark.parametrize("clients", [0, 3])
def test_stop_ends_the_server_at_once(serve, clients):
    """A lesson starts dozens; PATIENCE is for those that do not hear."""
    server = start(serve)
    crowd = [server.connect() for _ in range(clients)]
    with in_less_than(background.PATIENCE / 2):
        server.stop()
    assert server.ended
    assert server.descriptors() == 0
    for client in crowd:
        with client, contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""


@every_server
def test_stop_may_come_twice(serve):
    """A `with` block in which stop() is called ends as any other."""
    with start(serve) as server:
        server.stop()


def test_server_says_what_it_is():
    """The last line of a cell shows it."""
    server = start(select_server.serve)
    assert repr(server) == "<select server, running in the background>"
    server.stop()
    assert repr(server) == "<select server, stopped>"


def test_client_waits_five_seconds_at_most():
    """A server that does not answer must not hang the notebook."""
    with start(select_server.serve) as server, server.connect() as client:
        assert client.gettimeout() == 5


def test_buffer_makes_the_servers_buffers_small():
    """Backpressure is seen after kilobytes instead of megabytes; Linux doubles the number."""
    with start(select_server.serve, buffer=8192) as server, server.connect():
        (sock,) = server.accepted()
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 2 * 8192


def test_nothing_is_left_of_fifty_servers():
    """A notebook's kernel lives for days."""
    threads, sockets = threading.active_count(), tcp_sockets()
    for _ in range(50):
        with start(threaded_server.serve) as server, server.connect() as client:
            client.send(b"x")
    assert eventually(lambda: threading.active_count() == threads)
    assert tcp_sockets() == sockets


@pytest.mark.parametrize(
    ("serve", "text"),
    [
        (select_server, r"takes the function serve\(listener\): select_server\.serve"),
        (42, r"takes the function serve\(listener\)"),
        (asyncio.sleep, r"plain function.*asyncio\.run"),
    ],
    ids=["module", "number", "coroutine function"],
)
def test_start_says_what_it_takes(serve, text):
    """A likely slip is answered by what to write instead."""
    with pytest.raises(TypeError, match=text):
        start(serve)


def test_tape_in_use_starts_nothing():
    """Two servers on one tape would be told apart by nobody; the second leaves no trace."""
    tape = Tape()
    with start(select_server.serve, tape) as server:
        with pytest.raises(RuntimeError, match="make a new one"):
            start(select_server.serve, tape)
        assert [*background._servers] == [server]
        assert tape.sleeps() == ["pselect6"]


def test_threads_of_others_start_as_ever():
    """Thread.start stands in for itself only while a server lives, and only for its threads."""
    done = threading.Event()
    with start(select_server.serve) as server:
        assert threading.Thread.start is background.start_and_own
        thread = threading.Thread(target=done.wait)
        thread.start()
        assert thread not in server.threads
        with start(blocking_server.serve):
            pass
        assert threading.Thread.start is background.start_and_own
    assert threading.Thread.start is background._start
    done.set()
    thread.join()


def test_threaded_server_goes_on_when_there_is_no_thread_to_be_had(monkeypatch):
    """One client is turned away; the others are served, and so are those who come later."""

    def none_left(*_, **__):
        raise RuntimeError("can't start new thread")

    with start(threaded_server.serve) as server, server.connect() as first:
        with monkeypatch.context() as patch:
            for name in ("_start_new_thread", "_start_joinable_thread"):  # until 3.12, and since
                patch.setattr(threading, name, none_left, raising=False)
            with server.connect() as second:
                assert second.recv(1) == b""
        with server.connect() as third:
            for client in (first, third):
                client.send(b"x")
                assert client.recv(1) == b"x"


@sloppy
def test_listener_does_not_keep_accepted_sockets_open():
    """Where a server drops its last reference, the client learns that it is gone."""

    def drops(listener):
        while True:
            listener.accept()[0].setblocking(True)

    with start(drops) as server, server.connect() as client:
        assert client.recv(1) == b""
        assert server.accepted() == []


# Servers that do not mean to stop.


def test_computing_server_is_stopped(hurried):
    """It makes no call that could tell it."""

    def computes(listener):
        while True:
            sum(range(100))

    server = start(computes)
    with in_less_than(background.PATIENCE):
        server.stop()
    assert server.ended


def test_sleeping_server_is_stopped(hurried):
    """It looks at no socket, but between two naps it can be told."""

    def naps(listener):
        while True:
            time.sleep(0.02)

    server = start(naps)
    with in_less_than(background.PATIENCE):
        server.stop()
    assert server.ended


@sloppy
@pytest.mark.parametrize("where", ["accept", "recv"])
def test_server_that_swallows_every_exception_is_stopped(where):
    """`except Exception` is common, and must not make a server immortal."""

    def swallows(listener):
        sock = listener.accept()[0] if where == "recv" else None
        with sock or contextlib.nullcontext():
            while True:
                with contextlib.suppress(Exception):
                    sock.recv(10) if sock else listener.accept()

    server = start(swallows)
    with server.connect():
        with in_less_than(background.PATIENCE):
            server.stop()
        assert server.ended


def bare_accept(listener):
    while True:
        try:  # noqa: SIM105
            listener.accept()[0].close()
        except:  # noqa: E722
            pass


def bare_recv(listener):
    sock, _ = listener.accept()
    while True:
        try:  # noqa: SIM105
            sock.recv(10)
        except:  # noqa: E722
            pass


@pytest.fixture
def stubborn(request, monkeypatch):
    """A server that has been told to stop, and has not."""
    monkeypatch.setattr(background.Stopped, "ENOUGH", 5)
    server = start(request.param)
    with server.connect():
        server.said = ""
        with in_less_than(background.PATIENCE + 1):
            try:
                server.stop()
            except RuntimeError as error:
                server.said = str(error)
        yield server
    forget(server)


# Who swallows what recv() raises may still be hit outside of its `try`, and end.
every_bare_except = pytest.mark.parametrize("stubborn", [bare_accept, bare_recv], indirect=True)


@pytest.mark.parametrize("stubborn", [bare_accept], indirect=True)
def test_bare_except_is_named_as_what_keeps_a_server(stubborn):
    """From the message a learner knows where to look."""
    assert "does not stop" in stubborn.said
    assert "bare `except:`" in stubborn.said


@every_bare_except
def test_server_that_does_not_stop_is_put_to_sleep(stubborn):
    """It must not compute beside what comes next."""
    before = stubborn.cpu()
    assert where_is(stubborn) in ("asleep in futex", "ended")
    time.sleep(0.1)
    assert stubborn.cpu() == before


@every_bare_except
def test_server_that_does_not_stop_holds_no_socket(stubborn):
    """Its clients see the end, and its port is free."""
    assert stubborn.descriptors() == 0


@pytest.mark.parametrize("stubborn", [bare_accept], indirect=True)
def test_leftovers_name_a_server_that_does_not_stop(stubborn, printed):
    """One thread that cannot be ended is there, and is said to be."""
    leftovers(stop=True)
    first, second = printed().splitlines()
    assert first == "1 thread, 0 sockets left"
    assert second == "the bare_accept() server is asleep in futex".replace(
        "bare_accept()", stubborn.name
    )


def test_server_that_ends_late_is_forgotten(hurried, monkeypatch, printed):
    """A nap longer than our patience: afterwards there is nothing to report."""
    monkeypatch.setattr(background, "PATIENCE", 0.1)
    woken = threading.Event()

    def oversleeps(listener):
        select.select([], [], [], 0.3)
        woken.set()
        while True:
            time.sleep(0.001)

    server = start(oversleeps)
    with pytest.raises(RuntimeError, match="sleep somewhere else"):
        server.stop()
    leftovers()
    assert "1 thread, 0 sockets left" in printed()
    assert eventually(lambda: server.ended)
    leftovers()
    assert printed() == "0 threads, 0 sockets left\n"


def test_asyncio_ends_silently():
    """A server of another kind is judged as well, and leaves no traceback in a cell."""

    async def one(reader, writer):
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    async def serve(listener):
        server = await asyncio.start_server(one, sock=listener)
        await server.serve_forever()

    server = start(lambda listener: asyncio.run(serve(listener)))
    clients = [server.connect() for _ in range(3)]
    for client in clients:
        client.send(b"x")
        assert client.recv(1) == b"x"
    with in_less_than(background.PATIENCE):
        server.stop()
    for client in clients:
        client.close()


def test_thread_that_has_left_is_not_told_to_stop():
    """Its number may be another's by then: an innocent thread would be ended."""
    server = start(blocking_server.serve)
    server.stop()
    told = threading.Event()
    go = threading.Event()

    def innocent():
        go.wait(5)
        time.sleep(0)
        told.set()

    thread = threading.Thread(target=innocent)
    thread.start()
    server.thread._ident = thread.ident
    server._tell(server.thread)
    go.set()
    thread.join()
    assert told.is_set()


def test_thread_that_has_not_begun_is_not_told_to_stop():
    """Whoever starts it waits for it to say that it has begun, and would wait for ever."""
    server = start(blocking_server.serve)
    begun = threading.Event()

    class Slow(threading.Thread):
        def _set_native_id(self):  # called once ident is known, before it says so
            while not begun.is_set():
                time.sleep(0.001)
            super()._set_native_id()

    thread = Slow(target=blocking_server.serve, args=[server.listener])
    starter = threading.Thread(target=server._launch, args=[thread])
    starter.start()
    assert eventually(lambda: thread.ident is not None)
    server.stopping = True
    server._tell(thread)
    begun.set()
    starter.join(5)
    assert not starter.is_alive()
    server.stop()


def test_interrupted_start_does_not_hold_up_the_thread(monkeypatch):
    """An interrupt within threading.Event.wait() can leave a lock closed that set() needs."""

    def interrupted(condition):
        condition._lock.acquire()
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Condition, "__enter__", interrupted)
    begun = background.Begun()
    assert not begun.wait(0.01)
    begun.set()
    assert begun.wait()


@sloppy
def test_told_at_any_moment_a_thread_leaves_silently(hurried):
    """The bench raises in a thread wherever it is, and that may be on its way out."""

    def short(listener):
        while True:
            listener.accept()

    for number in range(100):
        server = start(short)
        server.stopping = True
        background.hang_up(server.listener)
        for _ in range(number % 10):
            server._tell(server.thread)
        assert server.end()


# Servers that end by themselves.


def returns(listener):
    pass


def raises(listener):
    sock, _ = listener.accept()
    with sock:
        sock.recv(100)
        nonsense  # noqa: B018, F821


def child_raises(listener):
    def child(sock):
        with sock:
            sock.recv(100)
            raise KeyError("boom")

    while True:
        sock, _ = listener.accept()
        threading.Thread(target=child, args=[sock]).start()


def line_of(text):
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_error_is_named_with_its_file_and_line():
    """Of the server's own code, wherever below it the error arose."""
    server = start(raises)
    with server.connect() as client:
        client.send(b"x")
    line = line_of("nonsense  #")
    with pytest.raises(Crashed) as error:
        server.stop()
    assert str(error.value) == (
        "the server crashed: NameError: name 'nonsense' is not defined "
        f"(test_bench.py, line {line})"
    )


def test_error_in_a_cell_is_named_with_the_line_of_its_function():
    """As the learner counts lines; a cell has no name."""
    cell = "\n\ndef serve(listener):\n    # first\n    helper()\n\ndef helper():\n    1 / 0\n"
    names = {"__name__": "__main__"}
    exec(compile(cell, "a cell", "exec"), names)
    server = start(names["serve"])
    with pytest.raises(Crashed, match=r"ZeroDivisionError: .* \(line 2 of helper\)$"):
        server.stop()


def test_descriptor_in_an_error_is_named_by_its_role():
    """A KeyError with a number in it would say nothing, and differ from run to run."""

    def forgets(listener):
        {}[listener.fileno()]

    server = start(forgets)
    with pytest.raises(Crashed, match="KeyError: the descriptor of listener"):
        server.stop()


def test_server_that_returns_is_told_that_it_should_not():
    """The first slip of whoever writes serve(): no loop."""
    server = start(returns)
    assert where_is(server) == "ended"
    with pytest.raises(Crashed, match="runs for ever"):
        server.stop()


@pytest.mark.parametrize("serve", [raises, child_raises])
def test_client_of_a_crashed_server_is_told_at_once(serve):
    """Instead of an empty answer, or of a wait for one that never comes."""
    server = start(serve)
    with server.connect() as client, in_less_than(2):
        client.send(b"x")
        with pytest.raises(Crashed, match=r"NameError|KeyError: 'boom'"):
            client.recv(1)
        with pytest.raises(Crashed):
            client.send(b"x")
        with pytest.raises(Crashed):
            client.sendall(b"x")
        with pytest.raises(Crashed):
            server.connect()
        with pytest.raises(Crashed):
            server.stop()


@pytest.mark.timing
def test_crash_is_told_however_the_sockets_were_closed():
    """A `with` in the server closes its client before anybody knows why."""
    for _ in range(20):
        server = start(raises)
        with server.connect() as client:
            socket.socket.send(client, b"x")  # and do not wait
            with pytest.raises(Crashed):
                client.recv(1)
        assert server.end()


@sloppy
def test_crash_tells_every_client():
    """Those who wait for an answer get none, and must not wait in vain."""

    def crashes(listener):
        first, second = listener.accept()[0], listener.accept()[0]
        second.recv(1)
        raise ValueError(first.fileno() > 0)

    server = start(crashes)
    with server.connect() as first, server.connect() as second:
        second.send(b"x")
        with in_less_than(2), pytest.raises(Crashed, match="ValueError: True"):
            first.recv(1)
        assert server.end()


def test_with_block_tells_a_crash_that_nobody_noticed():
    """The lesson goes on otherwise as if all were well."""
    with pytest.raises(Crashed, match="runs for ever"), start(returns):
        pass


def test_with_block_does_not_hide_what_was_raised_in_it():
    """A crash that was already told is not told twice; another error stays visible."""
    with pytest.raises(Crashed), start(returns) as server:
        server.connect()
    with pytest.raises(ZeroDivisionError), start(select_server.serve):
        1 / 0  # noqa: B018


def test_leftovers_name_a_crash(printed):
    """A server that was started without `with` and never stopped."""
    server = start(returns)
    leftovers()
    assert printed() == (
        "0 threads, 1 socket left\n"
        f"the {server.name} server has ended: serve() returned, but a server runs for ever\n"
    )
    leftovers(stop=True)
    assert printed() == "0 threads, 0 sockets left\n"


# Interrupts.


@every_server
def test_interrupt_in_the_with_block_stops_the_server(serve):
    """The stop button is how a learner leaves a cell that hangs."""
    with pytest.raises(KeyboardInterrupt), start(serve) as server, server.connect():
        raise KeyboardInterrupt
    assert server.ended


INTERRUPTS = """
import contextlib, faulthandler, gc, io, random, signal, sys, threading, time
import IPython  # as in a notebook: an interrupt in the middle of an import is Python's affair
from echo import nonblocking_server, select_server, threaded_server
from echo.lab import leftovers, settle, start
from echo.lab.background import Client, Listener

def interrupt(*_):
    raise KeyboardInterrupt

def lesson(serve, late, delay):
    with start(serve) as server:
        client = server.connect()
        client.send(b"x")
        settle(server)
        client.close()
        if late:
            signal.setitimer(signal.ITIMER_REAL, delay)

def places(trace):
    while trace:
        yield trace.tb_frame.f_code.co_name
        trace = trace.tb_next

def interrupted(serve, delay, late):
    "Where the interrupt hit."
    try:
        signal.setitimer(signal.ITIMER_REAL, 0 if late else delay)
        lesson(serve, late, delay)
        signal.setitimer(signal.ITIMER_REAL, 0)
        return []
    except KeyboardInterrupt as error:
        return [*places(error.__traceback__)]

def alive():
    return [thread for thread in threading.enumerate() if thread.ident is not None]

faulthandler.dump_traceback_later(55, exit=True)  # if it hangs, say where
signal.signal(signal.SIGALRM, interrupt)

def unraisable(lost):
    "An interrupt inside a weakref's callback or a __del__ is lost; Python prints so."
    assert lost.exc_type is KeyboardInterrupt, lost

sys.unraisablehook = unraisable
gc.freeze()  # what is looked for below was made later
COUNT, wanted = int(sys.argv[1]), set(sys.argv[2:])
chance = random.Random(7)
lasts = dict.fromkeys([select_server.serve, threaded_server.serve, nonblocking_server.serve], 0.1)
seen = set()
number, until = 0, time.monotonic() + 30
while number < COUNT or (wanted - seen and time.monotonic() < until):
    number += 1
    for serve in [*lasts][: 3 if number % 3 == 0 else 2]:
        began = time.monotonic()
        late = number % 4 == 0  # to hit stop() too, however long the rest takes
        hit = interrupted(serve, 0.00005 + chance.random() * (0.03 if late else lasts[serve]), late)
        seen.update(hit)
        if not hit:
            lasts[serve] = time.monotonic() - began
        with contextlib.redirect_stdout(io.StringIO()) as said:
            leftovers(stop=True)
        assert said.getvalue() == "0 threads, 0 sockets left\\n", said.getvalue()
        deadline = time.monotonic() + 2
        while len(alive()) > 1 and time.monotonic() < deadline:
            time.sleep(0.001)
        assert len(alive()) == 1, alive()
        gc.collect()
        kinds = Listener, Client
        left = [one for one in gc.get_objects() if isinstance(one, kinds) and one.fileno() >= 0]
        assert not left, left
print(*sorted(wanted - seen))
"""


@pytest.mark.timing
def test_interrupt_at_any_moment_leaves_nothing_that_leftovers_do_not_end():
    """While a server starts, settles or stops: nobody knows where a learner's finger falls."""
    assert run_python(INTERRUPTS, "30", "start", "connect", "settle", "end") == "\n"


# Lifetime: the same cell run again.


@pytest.fixture
def notebook(monkeypatch):
    """A pretended notebook; notebook.run(cell, run) says which cell runs now."""
    parent = {"metadata": {}, "content": {"code": ""}, "header": {}}
    shell = SimpleNamespace(get_parent=lambda: parent, user_ns={}, custom_exceptions=(Exception,))
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)

    def run(cell, run, source="start(serve)"):
        parent["metadata"] = {"cellId": cell} if cell else {}
        parent["content"] = {"code": source}
        parent["header"] = {"msg_id": run}

    return SimpleNamespace(run=run, names=shell.user_ns)


@pytest.mark.parametrize("cell", ["a", None], ids=["JupyterLab", "nbclient"])
def test_cell_run_again_stops_its_server_of_last_time(notebook, cell):
    """Otherwise each try of an exercise leaves a server behind."""
    notebook.run(cell, run=1)
    first = start(select_server.serve)
    notebook.run(cell, run=2)
    second = start(select_server.serve)
    assert first.ended
    assert not second.ended
    second.stop()


def test_two_servers_of_one_run_live_side_by_side(notebook):
    """A cell may compare two, even of the same kind."""
    notebook.run("a", run=1)
    with start(select_server.serve) as first, start(select_server.serve) as second:
        assert not first.ended
        assert not second.ended


@pytest.mark.parametrize("cells", ["ab", (None, None)], ids=["JupyterLab", "nbclient"])
def test_other_cells_leave_a_server_alone(notebook, cells):
    """A server is often started in one cell and looked at in the next."""
    notebook.run(cells[0], run=1, source="one = start(serve)")
    with start(select_server.serve) as first:
        notebook.run(cells[1], run=2, source="two = start(serve)")
        with start(select_server.serve):
            assert not first.ended


def test_outside_a_notebook_no_server_stops_another():
    """Tests and scripts have no cells."""
    with start(select_server.serve) as first, start(select_server.serve):
        assert not first.ended


TWO_SERVERS = """
before = globals().get("servers", [])
servers = start(select_server.serve), start(select_server.serve)
print([one.ended for one in before], [one.ended for one in servers])
"""
CELLS = [
    "from echo import select_server\nfrom echo.lab import leftovers, start",
    TWO_SERVERS,
    TWO_SERVERS,
    """
def serve(listener):
    sock, _ = listener.accept()
    sock.recv(1)
    1 / 0
""",
    """
try:
    with start(serve) as server:
        client = server.connect()
        client.send(b"x")
        client.recv(1)
except RuntimeError as error:
    print(error)
""",
    "leftovers(stop=True)",
]


def test_in_a_real_kernel(tmp_path):
    """The pretended notebook above is what we believe of IPython; this is IPython."""
    assert run_cells(CELLS, tmp_path) == [
        "",
        "[] [False, False]\n",
        "[True, True] [False, False]\n",
        "",
        "the server crashed: ZeroDivisionError: division by zero (line 4 of serve)\n",
        "0 threads, 0 sockets left\n",
    ]


RUN_CELLS = """
import json, os, subprocess, sys
import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

folder, cells = sys.argv[1], json.loads(sys.argv[2])
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in cells])
client = NotebookClient(notebook, timeout=30)
client.km = AsyncKernelManager(
    kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),  # python3 is this Python
    transport="ipc",
    connection_file=f"{folder}/kernel.json",
)
# libzmq may assert while a process ends (zeromq/libzmq#1307), kernel or client: not our affair.
client.execute(cwd=folder, stderr=subprocess.DEVNULL)
print(json.dumps(["".join(out.get("text", "") for out in cell.outputs) for cell in notebook.cells]))
sys.stdout.flush()
os._exit(0)
"""


def run_cells(cells, folder):
    """What each cell prints, in a kernel of its own."""
    return json.loads(run_python(RUN_CELLS, str(folder), json.dumps(cells)))


# leftovers


def test_leftovers_count_and_name_what_is_there(printed):
    """The server's thread; its listener, the client's socket and the server's end of it."""
    server = start(select_server.serve)
    client = server.connect()
    leftovers()
    assert printed() == ("1 thread, 3 sockets left\nthe select server is asleep in pselect6\n")
    leftovers(stop=True)
    assert printed() == "0 threads, 0 sockets left\n"
    assert client.fileno() < 0


def test_leftovers_close_sockets_that_the_notebook_holds(notebook, printed):
    """Plain ones as well, in a variable or in a list of them."""
    plain = [socket.socket(), socket.socket()]
    notebook.names.update(one=socket.socket(), more={"some": plain}, same=plain)
    leftovers()
    assert printed() == "0 threads, 3 sockets left\n"
    leftovers(stop=True)
    assert printed() == "0 threads, 0 sockets left\n"


def test_leftovers_find_clients_of_a_server_that_has_ended(printed):
    """After an error they hang on in the frames of its traceback, and nobody can name them."""
    with start(select_server.serve) as server:
        hidden = [server.connect()]
    leftovers()
    assert printed() == "0 threads, 1 socket left\n"
    leftovers(stop=True)
    assert hidden[0].fileno() < 0
    assert printed() == "0 threads, 0 sockets left\n"


# where_is


@pytest.mark.timing
@pytest.mark.parametrize(
    ("serve", "alone", "with_client"),
    [
        (blocking_server.serve, "asleep in accept4", "asleep in recvfrom, waiting for client 1"),
        (select_server.serve, "asleep in pselect6", "asleep in pselect6"),
        (SERVERS["poll"], "asleep in poll", "asleep in poll"),
        (SERVERS["epoll"], "asleep in epoll_wait", "asleep in epoll_wait"),
        (SERVERS["sigio"], "asleep in rt_sigtimedwait", "asleep in rt_sigtimedwait"),
        (
            threaded_server.serve,
            "asleep in accept4",
            "asleep in accept4; asleep in recvfrom, waiting for client 1",
        ),
        (nonblocking_server.serve, "running", "running"),
    ],
    ids=["blocking", "select", "poll", "epoll", "sigio", "threaded", "nonblocking"],
)
def test_where_is_names_the_call_in_which_a_server_sleeps(serve, alone, with_client):
    """Twenty times of twenty, on a busy machine too: a lesson stores what it says."""
    with start(serve) as server:
        assert {where_is(server) for _ in range(10)} == {alone}
        with server.connect():
            assert {where_is(server) for _ in range(10)} == {with_client}
    assert where_is(server) == "ended"


# Who changes his user keeps what /proc has of him closed to himself (proc(5), PR_SET_DUMPABLE),
# until he says that it need not be, or runs another program.
OTHER_USER = """
import ctypes, os, sys
from echo import epoll_server
from echo.lab import start, where_is

def looks():
    with start(epoll_server.serve) as server, server.connect() as client:
        client.send(b"hello")
        assert client.recv(100) == b"hello"
        return {where_is(server) for _ in range(20)}

looks()  # imports what the other user may not be allowed to read
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
if sys.argv[1] == "readable":
    ctypes.CDLL(None).prctl(4, 1)
print(*looks(), sep="\\n")
"""
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root may become another user")


@as_root
@pytest.mark.timing
def test_where_is_needs_no_root():
    """A thread's own process may look; that is all that it takes."""
    assert run_python(OTHER_USER, "readable") == "asleep in epoll_wait\n"


@as_root
def test_where_is_says_in_one_sentence_that_it_may_not_look():
    """Not a traceback: the lesson goes on, and so does the server."""
    said = run_python(OTHER_USER, "closed")
    assert said == f"running or asleep: {kernel.NotTold.__doc__}\n"


def test_where_is_says_when_the_kernel_does_not_tell(monkeypatch):
    """A sandbox may hide /proc; a lesson goes on."""
    monkeypatch.setattr(kernel, "sleeping", not_told)
    with start(select_server.serve) as server:
        assert where_is(server).startswith("running or asleep: This kernel does not name")


def not_told(*_):
    raise kernel.NotTold


def test_where_is_counts_threads_that_do_the_same():
    """Two hundred names would not be read."""
    with start(threaded_server.serve) as server:
        clients = [server.connect() for _ in range(3)]
        assert where_is(server) == "asleep in accept4; asleep in recvfrom, waiting for 3 clients"
        for client in clients:
            client.close()


def test_where_is_looks_at_any_thread():
    """One that computes, one that waits for a lock, one that has ended."""
    over = threading.Event()
    for body, doing in (over.wait, "asleep in futex"), (partial(spin, over), "running"):
        thread = threading.Thread(target=body)
        thread.start()
        try:
            assert where_is(thread) == doing
        finally:
            over.set()
            thread.join()
        assert where_is(thread) == "ended"
        over.clear()


@pytest.mark.timing
def test_watch_tells_the_states_that_last_in_order():
    """A wait that is over at once is not one that a learner could see."""
    with start(blocking_server.serve, buffer=16 * 1024) as server, server.connect() as client:
        receiving, sending = (f"asleep in {call}, waiting for client 1" for call in WAITS_FOR_ONE)

        def stall():
            client.send(b"x")
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    client.send(bytes(100_000))
            time.sleep(0.1)

        def read():
            count = 1
            while count:
                with contextlib.suppress(BlockingIOError):
                    count = len(client.recv(1 << 20))
                if where_is(server) == receiving:
                    break

        assert watch(server, lambda: None) == [receiving]
        assert watch(server, stall) == [receiving, sending]
        assert watch(server, read) == [sending, receiving]


WAITS_FOR_ONE = "recvfrom", "sendto"


def spin(over):
    while not over.is_set():
        pass


WAITS = """
import socket
listener = socket.create_server(("127.0.0.1", 0))
print("ready", flush=True)
listener.accept()
"""


def test_where_is_looks_at_a_process_of_ours():
    """Another program's thread sleeps in the same calls."""
    command = [sys.executable, "-c", WAITS]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"ready\n"
        try:
            assert eventually(lambda: where_is(child.pid) == "asleep in accept4")
        finally:
            child.kill()
        assert eventually(lambda: where_is(child.pid) == "ended")


# settle


def dawdles(listener, pause):
    """Takes a while before it answers, and then says that it has."""
    sock, _ = listener.accept()
    with sock:
        while data := sock.recv(100):
            pause()
            sock.sendall(data.upper())
    while True:
        listener.accept()


def computes_a_while():
    until = time.monotonic() + 0.05
    while time.monotonic() < until:
        pass


@pytest.mark.timing
@pytest.mark.parametrize("pause", [partial(time.sleep, 0.05), computes_a_while])
def test_client_goes_on_when_the_server_has_reacted(pause):
    """So the next line of a lesson finds the same state each time."""
    with start(partial(dawdles, pause=pause)) as server, server.connect() as client:
        client.setblocking(False)
        for _ in range(5):
            client.send(b"x")
            assert client.recv(1) == b"X"


@pytest.mark.timing
def test_settle_waits_for_threads_that_are_being_born():
    """The one that accepts sleeps again before its child has run."""
    with start(threaded_server.serve) as server:
        for number in range(1, 21):
            with socket.create_connection(server.address) as client:
                client.setblocking(False)
                settle(server)
                client.send(b"x")
                settle(server)
                assert client.recv(1) == b"x"
                assert server.arrived == number
            settle(server)
            assert len(server.threads) == 1


@every_server
def test_settle_waits_for_plain_sockets_too(serve):
    """A client that was not made by connect() waits for nothing by itself."""
    with start(serve) as server, socket.create_connection(server.address) as client:
        client.setblocking(False)
        settle(server)
        client.send(b"x")
        settle(server)
        assert client.recv(1) == b"x"


def test_settle_does_not_wait_for_a_server_that_spins():
    """It takes in all that comes, and would still be busy tomorrow."""
    change = Change("select_server", "writing, [])", "writing, [], 0)")
    serve = derive("spins", "select_server", (change,)).serve
    with start(serve) as server, server.connect() as client:
        client.send(b"x")
        settle(server, 60)
        assert kernel.unread([client]) == [1]


def test_settle_says_who_is_still_busy(hurried):
    """A server that spins without a client is never at rest."""

    def computes(listener):
        while True:
            sum(range(100))

    server = start(computes)
    with pytest.raises(TimeoutError) as error:
        settle(server, 0.05)
    assert str(error.value) == f"the {server.name} server is still busy after 0.05 seconds"
    server.stop()


def test_settle_returns_when_the_server_has_ended():
    """However it ended, it does nothing any more."""
    server = start(returns)
    with in_less_than(1):
        settle(server)
    assert server.end()


@every_server
def test_settle_where_the_kernel_does_not_tell(serve, monkeypatch):
    """Then it goes by what the sockets hold: slower, and nearly as good."""
    monkeypatch.setattr(kernel, "sleeping", not_told)
    with start(serve) as server, server.connect() as client:
        client.setblocking(False)
        client.send(b"x")
        assert client.recv(1) == b"x"


@pytest.mark.parametrize("size", [1, 4 << 20])
def test_server_that_cannot_send_is_at_rest(size):
    """It waits for its client to read: that is a reaction too."""
    for serve in (blocking_server.serve, select_server.serve):
        with start(serve, buffer=8192) as server, server.connect() as client:
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.send(bytes(size))
            with in_less_than(2):
                settle(server)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1] + [0] * 7))


# What the suite asks of a server.


@sloppy
def test_descriptors_are_counted_for_the_server_alone():
    """The listener, two accepted sockets, an epoll instance, and nobody else's."""

    def polls(listener):
        with select.epoll() as poller:
            poller.register(listener)
            socks = []
            while True:
                poller.poll()
                socks.append(listener.accept()[0])

    other = select.epoll()
    server = start(polls)
    clients = [server.connect(), server.connect()]
    assert server.descriptors() == 4
    server.stop()
    assert server.descriptors() == 0
    for thing in [other, *clients]:
        thing.close()


def test_processor_time_is_that_of_the_servers_threads():
    """A busy notebook must not make a sleeping server look as if it spun."""
    with start(select_server.serve) as asleep, start(nonblocking_server.serve) as busy:
        before = asleep.cpu(), busy.cpu()
        eventually(lambda: busy.cpu() - before[1] > 0.05)
        assert busy.cpu() - before[1] > 0.05
        assert asleep.cpu() - before[0] < 0.02


def test_times_slept_grow_only_while_something_happens():
    """Who wakes up for nothing uses too little processor time to be told by that."""
    with start(select_server.serve) as server, server.connect() as client:
        before = server.times_slept()
        client.send(b"hello")
        assert client.recv(100) == b"hello"
        after = server.times_slept()
        assert after > before
        time.sleep(0.05)
        assert server.times_slept() == after
    assert server.times_slept() == 0  # its thread has ended


@every_server
def test_accept_can_be_made_to_run_out_of_descriptors(serve):
    """Without lowering the limit of the notebook's own kernel: a client is turned away."""
    with start(serve) as server, server.connect() as first:
        first.send(b"x")
        server.run_out_of_descriptors()
        with contextlib.ExitStack() as stack:
            if serve is not blocking_server.serve:  # it does not come back to accept()
                late = stack.enter_context(server.connect())
                late.setblocking(False)
                with contextlib.suppress(BlockingIOError, ConnectionResetError):
                    assert late.recv(1) in (b"", b"x")
            assert first.recv(1) == b"x"
            first.send(b"y")
            assert first.recv(1) == b"y"


def test_descriptors_run_out_until_one_is_closed():
    """A persistent EMFILE would kill good servers, an alternating one pass spinning ones."""
    said = []

    def asks(listener):
        sock, _ = listener.accept()
        for step in range(4):
            sock.recv(1)
            if step == 2:
                spare.close()
            try:
                listener.accept()[0].close()
                said.append("in")
            except OSError as error:
                said.append(error.strerror)
        sock.recv(1)
        sock.close()

    spare = socket.socket()
    with start(asks) as server, server.connect() as first:
        server.run_out_of_descriptors()
        others = [socket.create_connection(server.address) for _ in range(4)]
        for _ in range(4):
            first.send(b"x")
        assert said == ["Too many open files"] * 2 + ["in", "Too many open files"]
        server.stop()
        for other in others:
            other.close()


@every_server
def test_accepted_sockets_can_be_given_high_descriptors(serve):
    """select() cannot express them; above 1023 only a raised limit allows them."""
    number = min(300, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 10)
    with start(serve) as server:
        with server.number_descriptors_from(number), server.connect() as client:
            client.send(b"x")
            assert client.recv(1) == b"x"
            assert [sock.fileno() >= number for sock in server.accepted()] == [True]
        with server.connect():
            assert all(sock.fileno() < number for sock in server.accepted())


@pytest.mark.parametrize("name", [name for name in SERVERS if name not in FETCHED_BY_THE_KERNEL])
@pytest.mark.parametrize("taped", [False, True], ids=["", "taped"])
def test_flooding_client_always_has_more(name, taped, hurried):
    """A real one pauses, and then nothing can be told; afterwards all is as before."""
    with start(SERVERS[name], tape=Tape() if taped else None) as server:
        with server.flood() as flood, server.connect() as client:
            socket.socket.send(client, b"x")
            assert eventually(lambda: flood.reads > 100)
        with server.connect() as client:
            client.send(b"x")
            assert client.recv(1) == b"x"
