"""The tape: whose calls are on it, how it reads, and that it is the same each time."""

import select
import socket
import threading
from collections import Counter

import pytest

from echo import blocking_server, select_server, threaded_server
from echo.lab import Tape, settle, start
from tests.lab.record.taped import (
    NAMES,
    NEVER_THE_SAME,
    ONE_AT_A_TIME,
    SERVERS,
    conversation,
    lines,
    serve_in,
)

# A FIN is worth two signals: they are one if the second comes before the first is taken.
ONE_SIGNAL_OR_TWO = {"sigio_server"}
EXCUSED = ONE_AT_A_TIME | NEVER_THE_SAME | ONE_SIGNAL_OR_TWO  # from one tape each time


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
    assert str(tape).splitlines()[-1] == "... and 16 more calls, not kept"


def test_long_tape_is_printed_with_its_ends(monkeypatch):
    """Nobody reads ten thousand lines, and a notebook would store them."""
    tape = conversation(select_server.serve)
    assert len(tape) == 21
    monkeypatch.setattr(Tape, "WHOLE", 21)
    whole = str(tape).splitlines()
    assert len(whole) == 21
    monkeypatch.setattr(Tape, "WHOLE", 20)
    monkeypatch.setattr(Tape, "ENDS", 3)
    left_out = "... 15 calls are not printed; tape[10:50] shows some of them"
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
