"""The suite: every server of ours against every requirement, and what it tells a learner."""

import ast
import contextlib
import importlib
import inspect
import io
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from echo import blocking_server, select_server
from echo.accept import accept_all
from echo.connection import READ, WRITE
from echo.lab import Crashed, Tape, background, check, conformance, start
from echo.lab.conformance import REQUIREMENTS, Failed, examine, title
from echo.lab.zoo import Change, derive

ROOT = Path(__file__).parent.parent
SERVERS = {
    path.stem.removesuffix("_server"): importlib.import_module(f"echo.{path.stem}").serve
    for path in sorted(ROOT.glob("echo/*_server.py"))
}
AT_MOST = 10  # seconds that check() may take, whatever it is given

ONE_AT_A_TIME = "it waits for one client, and cannot wait for another meanwhile"
NEVER_SLEEPS = "it asks all the time whether something has happened: that is the model"
CANNOT = {
    "blocking": {
        "serves_a_second_client_while_the_first_is_silent": ONE_AT_A_TIME,
        "serves_two_hundred_clients_in_any_order": ONE_AT_A_TIME,
        "serves_a_second_client_while_the_first_does_not_read": ONE_AT_A_TIME,
        "goes_on_when_descriptors_run_out": ONE_AT_A_TIME,
        "survives_a_descriptor_above_1023": ONE_AT_A_TIME,
    },
    "nonblocking": {
        "sleeps_while_its_clients_are_silent": NEVER_SLEEPS,
        "sleeps_while_a_client_does_not_read": NEVER_SLEEPS,
        "sleeps_while_a_half_closed_client_does_not_read": NEVER_SLEEPS,
        "sleeps_when_descriptors_have_run_out": NEVER_SLEEPS,
    },
    "select": {
        "serves_a_client_with_a_descriptor_above_1023": "an fd_set has a bit for 0 to 1023",
    },
}


# The matrix.


def serves_a_client_with_a_descriptor_above_1023(server):
    """More than the suite requires: there, to close it is enough."""
    with background.more_descriptors(), server.server.number_descriptors_from(1024):
        client = server.connect()
        client.says(b"hello")
        client.hears(b"hello")


serves_a_client_with_a_descriptor_above_1023.buffer = None
ASKED = [*REQUIREMENTS, serves_a_client_with_a_descriptor_above_1023]


@pytest.mark.timing
@pytest.mark.parametrize("requirement", ASKED, ids=title)
@pytest.mark.parametrize("name", SERVERS)
def test_server_meets_the_requirement(name, requirement):
    """Or it is listed that, and why, its model cannot: then it must not, either."""
    if requirement.__name__ in CANNOT.get(name, {}):
        with pytest.raises(Failed):
            examine(SERVERS[name], requirement)
    else:
        examine(SERVERS[name], requirement)


def test_what_is_not_required_is_a_requirement():
    """A name that no requirement has would excuse nothing, and nobody would notice."""
    names = {one.__name__ for one in ASKED}
    assert set(CANNOT) <= set(SERVERS)
    assert {name for table in CANNOT.values() for name in table} <= names


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=title)
def test_requirement_says_what_and_why(requirement):
    """Its name and its docstring are all that a learner is told about it."""
    assert " " in title(requirement)
    assert inspect.getdoc(requirement).endswith(".")


# What check() says.


def said(serve, **options):
    """What it prints; it must not take long, and leave nothing behind."""
    began = time.monotonic()
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        check(serve, **options)
    assert time.monotonic() - began < AT_MOST
    assert not background._servers
    return printed.getvalue()


@pytest.mark.timing
def test_good_server_is_told_so():
    """And how much that was."""
    lines = said(select_server.serve).splitlines()
    assert lines[:-2] == [f"pass  {title(one)}" for one in REQUIREMENTS]
    assert lines[-1] == f"{len(REQUIREMENTS)} of {len(REQUIREMENTS)} requirements met."


def stub(listener):
    """Echo."""
    ...  # noqa: PIE790


def half_done(listener):
    listener.setblocking(False)
    while True:
        ...


@pytest.mark.parametrize("serve", [stub, half_done])
def test_untouched_stub_is_not_attempted(serve):
    """Nobody has failed who has not begun."""
    assert said(serve) == f"Not attempted yet: replace the ... in {serve.__name__}().\n"


def test_dots_are_not_attempted_either():
    """An exercise may ask for a server instead of a line of one."""
    assert said(...) == "Not attempted yet: replace the ... by the serve of a server.\n"


def test_module_in_the_place_of_its_function_is_told():
    """It is the first mistake that everybody makes; a traceback would frighten."""
    assert (
        said(select_server) == "check() takes the function serve(listener): select_server.serve\n"
    )


def returns(listener):
    with listener.accept()[0] as sock:
        sock.sendall(sock.recv(1000))


def returns_at_once(listener):
    return


def misspells(listener):
    sock, _ = listener.accept()
    with sock:
        sock.sendall(dat)  # noqa: F821


def misspells_at_once(listener):
    listener.setblocking(Fals)  # noqa: F821


def never_accepts(listener):
    while True:
        time.sleep(0.1)


def never_ends_its_computation(listener):
    while True:
        pass


def echoes_once(listener):
    with listener.accept()[0] as sock:
        sock.sendall(sock.recv(1000))
        listener.accept()


def shouts(listener):
    while True:
        with listener.accept()[0] as sock:
            while data := sock.recv(1000):
                sock.sendall(data.upper())


def closes_after_the_first_message(listener):
    while True:
        with listener.accept()[0] as sock:
            sock.sendall(sock.recv(1000))


def keeps_the_client(listener):
    kept = []
    while True:
        kept.append(listener.accept()[0])
        while data := kept[-1].recv(1000):
            kept[-1].sendall(data)


def reads_then_writes(listener):
    """Whom the first loop has closed, the second one meets again."""
    listener.setblocking(False)
    clients = set()
    while True:
        reading = [listener, *(conn for conn in clients if conn.wanted() & READ)]
        writing = [conn for conn in clients if conn.wanted() & WRITE]
        readable, writable, _ = select.select(reading, writing, [])
        if listener in readable:
            readable.remove(listener)
            clients.update(accept_all(listener))
        for conn in [*readable, *writable]:
            if conn in readable:
                conn.receive()
            if conn.unsent:
                conn.send()
            if not conn.wanted():
                clients.remove(conn)
                conn.sock.close()


def bears_no_reset(listener):
    def echo(sock):
        with sock:
            while data := sock.recv(1000):
                sock.sendall(data)

    while True:
        sock, _ = listener.accept()
        threading.Thread(target=echo, args=[sock], daemon=True).start()


def listens_itself(listener):
    tenth = struct.pack("ll", 0, 100_000)  # of a second; otherwise nobody could end it
    with socket.create_server(("127.0.0.1", 0)) as own:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, tenth)
        while True:
            with contextlib.suppress(BlockingIOError):
                own.accept()


def asks_ten_times_a_second(listener):
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:  # no descriptor is left: wait for others to leave
            time.sleep(0.1)
            continue
        threading.Thread(target=echo_and_close, args=[sock], daemon=True).start()


def echo_and_close(sock):
    with sock:
        blocking_server.echo(sock)


def drips(listener):
    while True:
        with listener.accept()[0] as sock:
            while data := sock.recv(1000):
                for number in range(len(data)):
                    time.sleep(0.3 * (len(data) > 20))
                    sock.send(data[number : number + 1])


@pytest.mark.parametrize(
    ("serve", "requirement", "sentences"),
    [
        (
            returns,
            "sends back what it receives",
            ["serve() returned, but a server runs for ever"],
        ),
        (
            returns_at_once,
            "sends back what it receives",
            ["serve() returned, but a server runs for ever"],
        ),
        (
            misspells,
            "sends back what it receives",
            [
                "the server crashed: NameError: name 'dat' is not defined (test_conformance.py, ",
                "client 1 receives  nothing, then",
            ],
        ),
        (
            misspells_at_once,
            "sends back what it receives",
            ["the server crashed: NameError: name 'Fals' is not defined (test_conformance.py, "],
        ),
        (
            never_accepts,
            "sends back what it receives",
            ["the server is asleep in clock_nanosleep", "it has not accepted anybody"],
        ),
        (
            never_ends_its_computation,
            "sends back what it receives",
            ["the server is running", "it has not accepted anybody"],
        ),
        (
            echoes_once,
            "sends back what it receives",
            [
                r"client 1 sends     b'\x00'",
                "client 1 receives  nothing\n      the server is asleep in accept4",
                "\n0 of 23 requirements met so far.",
            ],
        ),
        (
            shouts,
            "sends back what it receives",
            ["client 1 expects   b'hello'\n      client 1 receives  b'HELLO'"],
        ),
        (
            closes_after_the_first_message,
            "sends back what it receives",
            ["client 1 receives  nothing, then", "the server is asleep in accept4"],
        ),
        (
            keeps_the_client,
            "closes when the client has finished",
            ["client 1 expects   b'': the end\n      client 1 receives  nothing\n"],
        ),
        (
            reads_then_writes,
            "survives a client that resets",
            ["the server crashed: KeyError: ", "client 3 resets the connection"],
        ),
        (
            bears_no_reset,
            "survives a client that resets",
            ["a thread crashed, and the bench ended its server: ConnectionReset", " so far."],
        ),
        (
            listens_itself,
            "sends back what it receives",
            ["it waits at a listener of its own: serve() is given one to accept from"],
        ),
        (
            drips,
            "sends back a message longer than the buffers",
            ["client 1 receives  a part of it, in 4 seconds: that is too slow"],
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_learner_is_told_what_is_wrong(serve, requirement, sentences):
    """What was asked, what came, and where the server was at that moment."""
    text = said(serve)
    assert f"FAIL  {requirement}\n" in text
    assert [sentence for sentence in sentences if sentence not in text] == []
    assert f"server = start({serve.__name__}, tape" in text
    assert "requirements met." not in text


# In a process of its own: the thread of such a server stays, asleep, for as long as that lives.
SWALLOWS = """
import sys, time
from echo.lab import check, leftovers

def serve(listener):
    while True:
        try:
            sock, _ = listener.accept()
            with sock:
                while data := sock.recv(1000):
                    sock.sendall({0})
        except:
            pass

began = time.monotonic()
check(serve)
print("seconds:", time.monotonic() - began)
before = time.process_time()
time.sleep(0.3)
print("busy:", time.process_time() - before > 0.1)
leftovers()
"""


@pytest.mark.parametrize("sends", ["data", "dat"])
def test_server_that_swallows_every_exception_is_told_so(sends):
    """Its own typing errors as well: a bare `except:` hides what would have helped."""
    done = subprocess.run(
        [sys.executable, "-c", SWALLOWS.format(sends)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stderr == ""
    assert "does it swallow every exception, with a bare `except:`" in done.stdout
    seconds = float(done.stdout.partition("seconds: ")[2].partition("\n")[0])
    assert seconds < AT_MOST
    assert "busy: False" in done.stdout
    assert "1 thread, 0 sockets left" in done.stdout


# `until`.


@pytest.mark.parametrize("form", [str, title, lambda one: one], ids=["name", "title", "function"])
def test_lesson_asks_only_what_has_been_taught(form):
    """The last one asked is named as it is printed, as it is written, or by itself."""
    until = conformance.closes_when_the_client_has_finished
    until = until.__name__ if form is str else form(until)
    assert said(select_server.serve, until=until).splitlines() == [
        "pass  sends back what it receives",
        "pass  closes when the client has finished",
        "",
        "2 of 2 requirements met.",
    ]


def test_nobody_is_asked_what_is_no_requirement():
    """A typing error shall not look like a good server."""
    for until in ("flies", 2):
        printed = said(select_server.serve, until=until)
        assert printed.startswith(f"{until!r} is no requirement; they are: sends back what it")
        assert "pass" not in printed


@pytest.mark.timing
def test_asking_now_and_then_is_not_busy():
    """It costs a two-hundredth of a processor, and is what many a server does."""
    examine(asks_ten_times_a_second, conformance.sleeps_when_descriptors_have_run_out)


# The code that shows it again.


def shown(serve, requirement):
    """What the cell prints and its last line gives, or what it raises."""
    tree = ast.parse(requirement.again.format("serve"))
    names = {"Tape": Tape, "start": start, "socket": socket, "time": time, "serve": serve}
    value = None
    try:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            if isinstance(tree.body[-1], ast.Expr):
                value = ast.Expression(tree.body.pop().value)
            exec(compile(tree, "<again>", "exec"), names)
            if value:
                value = eval(compile(value, "<again>", "eval"), names)
    except (OSError, Crashed) as error:
        return type(error)
    finally:
        server = names["server"]
        for client in server.clients():
            client.close()
        assert server.end()
        assert str(names["tape"])
    return printed.getvalue(), value


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=title)
def test_cell_that_shows_it_again_runs(requirement):
    """A learner pastes it; on a good server it ends by itself and raises nothing."""
    printed, value = shown(select_server.serve, requirement)
    if "cpu" in requirement.again:
        assert value is True
    if " of " in printed:  # bytes received, of bytes sent
        received, sent = printed.split(" of ")
        assert int(received) == int(sent) > 100_000


def test_cell_that_shows_it_again_has_the_client_leave():
    """A server that returns does so when its client has left, not before it has answered."""
    printed = said(returns)
    assert "\n          client.close()\n          where_is(server)\n" in printed
    assert "where_is" not in said(echoes_once)


def broken(module, old, new, server="select_server"):
    return derive("broken", server, (Change(module, old, new),)).serve


BROKEN = {
    "sends_back_what_it_receives": broken(
        "select_server",
        "if conn.unsent or conn.eof else READ",
        "if conn.unsent or conn.eof else 0",
    ),
    "serves_one_client_after_another": broken(
        "blocking_server",
        "            echo(sock)",
        "            return echo(sock)",
        "blocking_server",
    ),
    "survives_a_client_that_resets": broken(
        "connection", "except OSError:  # a reset", "except EOFError:  # a reset"
    ),
    "loses_nothing_when_the_client_reads_late": broken(
        "connection",
        "            self.unsent = self.unsent[count:]",
        '            self.unsent = b""',
    ),
    "finishes_its_answer_to_a_half_closed_client": broken(
        "connection", "if not self.unsent:", "if not self.unsent or self.eof:"
    ),
    "serves_a_second_client_while_the_first_does_not_read": broken(
        "accept", "            sock.setblocking(False)\n", ""
    ),
    "stops_reading_from_a_client_that_does_not_read": broken(
        "connection", "HIGH_WATER = 256 * 1024", "HIGH_WATER = 1 << 40"
    ),
    "sleeps_while_its_clients_are_silent": broken(
        "select_server", "writing, [])", "writing, [], 0)"
    ),
    "sleeps_while_a_half_closed_client_does_not_read": broken(
        "connection", "return WRITE if self.eof or len", "return WRITE if len"
    ),
    "goes_on_when_descriptors_run_out": broken(
        "accept", "(errno.EMFILE, errno.ENFILE)", "(errno.ENFILE,)"
    ),
    "survives_a_descriptor_above_1023": broken("select_server", ">= FD_SETSIZE", "> FD_SETSIZE"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("collected")
def test_cell_that_shows_it_again_shows_the_fault(name):
    """What it does is not what it does on a good server."""
    (requirement,) = (one for one in REQUIREMENTS if one.__name__ == name)
    assert shown(BROKEN[name], requirement) != shown(select_server.serve, requirement)
