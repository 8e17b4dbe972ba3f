"""check() tells a learner what is wrong: what was asked, what came, and where her server was."""

import contextlib
import select
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

from echo import blocking_server, select_server
from echo.accept import accept_all
from echo.connection import READ, WRITE
from echo.lab.conformance import REQUIREMENTS, title, up_to
from echo.lab.conformance.requirements import clients as clients_module
from echo.lab.conformance.requirements import limits
from echo.lab.conformance.subject import BUFFER, LONG, Failed
from echo.lab.conformance.verdict import examine
from tests.lab.conformance.told import AT_MOST, echoes_once, returns, said
from tests.paths import ROOT


@pytest.mark.timing
def test_good_server_is_told_so():
    """And how much that was."""
    lines = said(select_server.serve).splitlines()
    assert lines[:-2] == [f"pass  {title(one)}" for one in REQUIREMENTS]
    assert lines[-1] == f"{len(REQUIREMENTS)} of {len(REQUIREMENTS)} requirements met by serve()."


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
                    time.sleep(0.3 * (len(data) > 300))
                    sock.send(data[number : number + 1])


def keeps_the_end(listener):
    """Of a long message, exactly what its client waits for before it reads the last bytes."""
    while True:
        with listener.accept()[0] as sock:
            left = LONG - 8 * BUFFER
            while data := sock.recv(min(left, 4096) or 4096):
                sock.sendall(data[:left])
                left -= len(data[:left])


@pytest.mark.parametrize(
    ("serve", "requirement", "sentences"),
    [
        (
            returns,
            "sends back what it receives",
            ["serve() returned; a server must keep running"],
        ),
        (
            returns_at_once,
            "sends back what it receives",
            ["serve() returned; a server must keep running"],
        ),
        (
            misspells,
            "sends back what it receives",
            [
                "the server crashed: NameError: name 'dat' is not defined (test_check.py, ",
                "client 1 receives  nothing, then",
            ],
        ),
        (
            misspells_at_once,
            "sends back what it receives",
            ["the server crashed: NameError: name 'Fals' is not defined (test_check.py, "],
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
                "\n0 of 26 requirements met by echoes_once() so far.",
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
        (
            keeps_the_end,
            "sends back a message longer than the buffers",
            ["client 1 receives  a part of it, then nothing for 2 seconds\n"],
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
    assert "so far." in text


def resets_who_sends_much(listener):
    while True:
        with listener.accept()[0] as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            count = 0
            while (data := sock.recv(1000)) and (count := count + len(data)) < BUFFER:
                sock.sendall(data)


@pytest.mark.parametrize(
    ("requirement", "does"),
    [
        (
            "finishes its answer to a half closed client",
            "sends as much as it can, and reads nothing\nclient 1 cannot send",
        ),
        (
            "stops reading from a client that reads slowly",
            "sends whenever there is room, and reads little by little\nclient 1 cannot go on",
        ),
    ],
    ids=["stuffs", "reads slowly"],
)
def test_error_in_the_middle_of_what_a_client_does_is_told_with_it(requirement, does):
    """An error alone would not say what the client had done until then."""
    with pytest.raises(Failed) as told:
        examine(resets_who_sends_much, up_to(requirement)[-1])
    assert str(told.value) == (
        f"client 1 connects\nclient 1 {does}: Connection reset by peer\n"
        "the server is asleep in accept4"
    )


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
    until = clients_module.closes_when_the_client_has_finished
    until = until.__name__ if form is str else form(until)
    assert said(select_server.serve, until=until).splitlines() == [
        "pass  sends back what it receives",
        "pass  closes when the client has finished",
        "",
        "2 of 2 requirements met by serve().",
    ]


def test_nobody_is_asked_what_is_no_requirement():
    """A typing error shall not look like a good server."""
    for until in ("flies", 2):
        printed = said(select_server.serve, until=until)
        assert printed.startswith(f"{until!r} is no requirement; they are: sends back what it")
        assert "pass" not in printed


def test_name_that_is_nearly_right_is_named():
    """The list of all of them is long."""
    near = "serves one client after anotherr"
    printed = said(select_server.serve, until=near)
    meant = "serves one client after another"
    assert printed.startswith(f"{near!r} is no requirement; do you mean {meant!r}? They are: ")
    assert "pass" not in printed


@pytest.mark.timing
def test_asking_now_and_then_is_not_busy():
    """It costs a two-hundredth of a processor, and is what many a server does."""
    examine(asks_ten_times_a_second, limits.sleeps_when_descriptors_have_run_out)
