"""The stepper: one turn at a time, nothing consumed by looking, and nothing that hangs."""

import contextlib
import re
import select
import socket
import struct
import time

import pytest

from echo.lab import Crashed, Stepper, Tape, leftovers, start, where_is, zoo
from echo.lab.record import stepper as stepper_module
from tests.lab.record.stepped import LOOPS, calls, line, serve_of, story
from tests.lab.record.taped import serve_in


def test_shows_a_turn_whole(stepped):
    stepper, server = stepped("select")
    client = server.connect()
    stepper.step()
    client.send(b"hello")
    assert str(stepper.step()) == (
        "turn 2 of the select server\n"
        "interest    listener IN, client 1 IN\n"
        "ready       client 1 IN: 5 bytes to read\n"
        "calls       pselect6([listener, client 1], []) = [client 1], []\n"
        "            recvfrom(client 1) = 5\n"
        "            sendto(client 1) = 5\n"
        "next        pselect6([listener, client 1], [])\n"
        "bytes       unread in the kernel   unsent in the server\n"
        "client 1    5 -> 0                 0"
    )
    assert str(stepper.step()) == (
        "no turn: nothing is ready, pselect6 would sleep\n"
        "interest    listener IN, client 1 IN\n"
        "ready       none\n"
        "bytes       unread in the kernel   unsent in the server\n"
        "client 1    0                      0"
    )


@pytest.mark.parametrize("name", LOOPS)
def test_stepped_or_not_a_server_makes_the_same_calls(name, stepped):
    """To be watched changes nothing."""
    tape = Tape()
    with start(serve_of(name), tape) as server:
        story(server)
        free = [str(call) for call in tape]
    stepper, server = stepped(name)
    steps = story(server, stepper)
    assert [str(call) for call in stepper] == free
    waits = [call for call in free if re.match("pselect6|poll|epoll_wait", call)]
    assert len(steps) == len(waits)


@pytest.mark.parametrize("name", LOOPS)
def test_is_the_same_each_time(name, stepped):
    runs = []
    for _ in range(2):
        stepper, server = stepped(name)
        runs.append(story(server, stepper))
    assert runs[0] == runs[1]


@pytest.mark.parametrize("name", LOOPS)
def test_looking_consumes_nothing(name, stepped):
    """An edge that was seen must still come."""
    stepper, server = stepped(name)
    client = server.connect()
    stepper.step()
    while stepper.step().turned:
        pass
    client.send(b"hello")
    before, looks = len(stepper), {str(stepper.look()) for _ in range(3)}
    assert len(looks) == 1
    assert "client 1    5 " in looks.pop()
    assert len(stepper) == before
    assert stepper.step().turned
    assert client.recv(100) == b"hello"


@pytest.mark.parametrize("name", LOOPS)
def test_does_not_turn_while_nothing_is_ready(name, stepped):
    stepper, _ = stepped(name)
    for _ in range(3):
        turn = stepper.step()
        assert not turn.turned
        assert str(turn).startswith("no turn: nothing is ready, ")
    assert not [call for call in stepper if call.name in stepper_module.STEPPED]


def test_edge_triggered_loop_that_polls_turns_though_nothing_is_ready(stepped):
    """It has somebody in `ready`, and asks with timeout 0."""
    stepper, server = stepped("epoll_edge")
    client = server.connect()
    stepper.step()
    client.send(b"hello")
    assert "an edge has come" in line(stepper.look(), "ready")
    assert line(stepper.step(), "next") == "epoll_wait(), with timeout 0"
    turn = stepper.step()
    assert line(turn, "ready") == "none, but its timeout is 0"
    assert calls(turn) == ["epoll_wait() = []", "recvfrom(client 1) = EAGAIN"]
    assert not stepper.step().turned


READS_THREE = """
import select
socks = {}
def serve(listener):
    poller = select.epoll()
    poller.register(listener, select.EPOLLIN)
    while True:
        for fd, _ in poller.poll():
            if fd == listener.fileno():
                sock, _ = listener.accept()
                socks[sock.fileno()] = sock
                poller.register(sock, select.EPOLLIN | select.EPOLLET)
            else:
                socks[fd].recv(3)
"""


def test_bytes_that_no_edge_reports_are_seen_unread(stepped):
    stepper, server = stepped(serve_in(READS_THREE))
    client = server.connect()
    stepper.step()
    client.send(b"hello")
    assert line(stepper.step(), "client 1") == "5 -> 2                 0 -> 3"
    turn = stepper.step()
    assert not turn.turned
    assert line(turn, "client 1") == "2                      3"
    client.send(b"!")
    assert line(stepper.step(), "client 1") == "3 -> 0                 3 -> 6"


SAYS_WHY = [
    (lambda client: None, "listener IN: 1 client to accept"),
    (lambda client: client.send(b"a"), "client 1 IN: 1 byte to read"),
    (lambda client: client.shutdown(socket.SHUT_WR), "client 1 IN: the end of what it sends"),
    (lambda client: reset(client), "it has reset the connection"),
]


def reset(client):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.mark.parametrize("name", ["select", "poll", "epoll"])
@pytest.mark.parametrize(("act", "why"), SAYS_WHY, ids=["connect", "send", "half-close", "reset"])
def test_says_why_somebody_is_ready(name, act, why, stepped):
    stepper, server = stepped(name)
    client = server.connect()
    if not why.startswith("listener"):
        stepper.step()
    act(client)
    seen = line(stepper.look(), "ready")
    assert seen.endswith(why)
    turn = stepper.step()
    assert line(turn, "ready") == seen
    if "reset" in why:
        assert line(turn, "client 1") == "0 -> closed"


@pytest.mark.parametrize("name", LOOPS)
def test_what_is_owed_is_seen_as_unsent(name, stepped):
    stepper, server = stepped(name, buffer=16 * 1024)
    client = server.connect()
    client.setblocking(False)
    for _ in range(1000):
        with contextlib.suppress(BlockingIOError):
            client.send(bytes(100_000))
        if not stepper.step().turned:
            break
    owed = re.search(r"client 1 +\d+ +([1-9]\d+)", str(stepper.look()))
    assert owed
    if name != "coroutine":
        assert "client 1 " in line(stepper.look(), "interest")
        assert "OUT" in line(stepper.look(), "interest")


def test_many_clients_are_told_in_few_lines(stepped):
    stepper, server = stepped("epoll")
    clients = [server.connect() for _ in range(30)]
    assert line(stepper.look(), "ready") == "listener IN: 30 clients to accept"
    turn = stepper.step()
    assert len(turn.calls) == 62
    assert "22 more" in str(turn)
    clients[20].send(b"hello")
    look = stepper.look()
    assert line(look, "interest") == "listener IN, client 1 to client 30 IN"
    assert str(look).splitlines()[-2:] == [
        "client 21   5                      0",
        "            29 clients more: nothing",
    ]


TIMES_OUT = """
import select
accepted = []
def serve(listener):
    while True:
        if select.select([listener], [], [], 0.05)[0]:
            accepted.append(listener.accept())
"""


def test_timeout_of_a_server_runs_out_only_when_asked_for(stepped):
    stepper, server = stepped(serve_in(TIMES_OUT))
    assert str(stepper.step()).startswith("no turn: nothing is ready, pselect6 would sleep until")
    turn = stepper.step(timeout=True)
    assert calls(turn) == ["pselect6([listener], []) = [], []"]
    assert line(turn, "next") == "pselect6([listener], []), with a timeout"
    server.connect()
    assert stepper.step().calls[1].name == "accept4"


def test_select_server_that_names_what_is_closed_crashes_in_its_turn(stepped):
    source = "import select, socket\ndef serve(listener):\n    gone = socket.socket()\n"
    source += "    gone.close()\n    select.select([listener, gone], [], [])\n"
    stepper = Stepper()
    start(serve_in(source), stepper)
    assert line(stepper.look(), "ready") == "the call will fail"
    assert line(stepper.step(), "then").startswith("the server crashed: ValueError")
    with pytest.raises(Crashed):
        stepper.step()
    leftovers(stop=True)


BLOCKS = """
import select
def serve(listener):
    while True:
        select.select([listener], [], [])
        sock, _ = listener.accept()
        sock.recv(100)
"""


def test_turn_that_sleeps_is_told_and_goes_on(stepped):
    stepper, server = stepped(serve_in(BLOCKS))
    client = server.connect()
    turn = stepper.step()
    where = "has not stopped at a gate: asleep in recvfrom, waiting for client 1"
    assert line(turn, "then").endswith(where)
    assert str(stepper.step()).startswith("no turn: ")
    client.send(b"hello")
    assert str(stepper.step()).startswith("no turn: nothing is ready, pselect6")
    assert stepper.names() == ["pselect6", "accept4", "recvfrom"]


def test_server_without_such_a_wait_is_named(stepped):
    stepper, _ = stepped("blocking")
    assert str(stepper.step()).endswith(
        "the blocking server has not stopped at a gate: asleep in accept4"
    )


def test_only_the_loop_is_stopped(stepped):
    """A thread that the server has started runs freely."""
    source = "import select, threading\ndef serve(listener):\n"
    source += "    thread = threading.Thread(target=select.select, args=([], [], [], 0.01))\n"
    source += "    thread.start()\n    thread.join()\n    select.select([listener], [], [])\n"
    stepper, _ = stepped(serve_in(source))
    assert line(stepper.look(), "interest") == "listener IN"
    assert stepper.names() == ["pselect6"]


# Nothing hangs.


@pytest.mark.timing
@pytest.mark.parametrize("name", LOOPS)
def test_ends_at_once_at_the_gate(name):
    stepper = Stepper()
    server = start(serve_of(name), stepper)
    client = server.connect()
    assert re.fullmatch("at the gate of its stepper, before [a-z0-9_]+", where_is(server))
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 1
    assert server.ended
    client.close()
    with pytest.raises(RuntimeError, match="has been stopped"):
        stepper.step()


def test_leftovers_opens_the_gate(capsys):
    start(serve_of("select"), Stepper())
    leftovers()
    assert "the select server is at the gate of its stepper, before pselect6" in (
        capsys.readouterr().out
    )
    leftovers(stop=True)
    assert capsys.readouterr().out == "0 threads, 0 sockets left\n"


@pytest.mark.timing
def test_clients_of_a_server_at_the_gate_do_not_wait_for_it(stepped):
    _, server = stepped("select")
    began = time.monotonic()
    client = server.connect()
    for _ in range(10):
        client.send(b"hello")
    client.close()
    assert time.monotonic() - began < 0.5


def test_interrupted_step_is_made_up_for(stepped, monkeypatch):
    """Wherever the interrupt comes, the next step finds a server that it can turn."""
    stepper, server = stepped("select")
    client = server.connect()
    ring = stepper._ring
    for count in range(1, 4):
        rings = iter([ring] * count)

        def interrupted(rings=rings):
            try:
                next(rings)()
            except StopIteration:
                raise KeyboardInterrupt from None

        monkeypatch.setattr(stepper, "_ring", interrupted)
        with contextlib.suppress(KeyboardInterrupt):
            stepper.step()
        monkeypatch.setattr(stepper, "_ring", ring)
        while stepper.step().turned:
            pass
        client.send(b"hello")
    stepper.step()
    assert client.recv(100) == b"hello" * 3


def test_crash_in_a_turn_is_told(stepped):
    source = (
        "import select\ndef serve(listener):\n    select.select([listener], [], [])\n    oops\n"
    )
    stepper = Stepper()
    server = start(serve_in(source), stepper)
    client = server.connect()
    then = line(stepper.step(), "then")
    assert then == "the server crashed: NameError: name 'oops' is not defined (line 3 of serve)"
    with pytest.raises(Crashed):
        stepper.step()
    leftovers(stop=True)
    client.close()


def test_must_be_given_to_a_server():
    with pytest.raises(RuntimeError, match=re.escape("start(serve, stepper)")):
        Stepper().step()


def test_serves_one_server_after_another():
    stepper = Stepper()
    for _ in range(2):
        with start(serve_of("poll"), stepper) as server:
            with pytest.raises(RuntimeError, match="make a new one"):
                start(serve_of("select"), stepper)
            assert stepper.at_gate()
            client = server.connect()
            assert str(stepper.step()).startswith("turn 1 of the poll server")
            client.close()


def test_tape_says_before_which_call_it_stands(stepped):
    stepper, _ = stepped("epoll")
    assert str(stepper).splitlines()[-1] == "epoll_wait() ... at the gate"


def test_broken_servers_can_be_stepped(stepped):
    """A server of the zoo is a server like any other."""
    stepper, server = stepped(zoo.load("plain_select").serve)
    client = server.connect()
    stepper.step()
    client.send(b"hello")
    assert line(stepper.step(), "client 1") == "5 -> 0                 0 -> 5"
    assert line(stepper.step(), "client 1") == "0                      5 -> 0"


def test_of_epoll_only_what_matters_is_asked():
    """An entry that EPOLLONESHOT has disabled is no reason to wake."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"a")
        assert stepper_module.asked_one_by_one([(ours.fileno(), select.EPOLLONESHOT)]) == []
        assert stepper_module.asked_one_by_one([(ours.fileno(), select.EPOLLIN)]) == [
            (ours.fileno(), 1)
        ]
