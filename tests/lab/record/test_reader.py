"""A reader is looked at from outside: where it waits, who copies, and what the kernel holds."""

import ctypes
import hashlib
import select
import socket

import pytest

from echo.lab import Reader, check_reader, five_models, observe, posix_aio, until, where_is
from echo.lab.kernel import sleep
from echo.lab.record import reader as reader_module
from echo.lab.record.phase import Phase
from echo.lab.record.reader import ELSEWHERE, OTHERS, RECORDED_READS
from echo.lab.run.threads import Crashed
from echo.ring import RECV, Ring

pytestmark = pytest.mark.timing


def blocking(conn):
    return conn.recv(1)


def nonblocking(conn):
    conn.setblocking(False)
    while True:
        try:
            return conn.recv(1)
        except BlockingIOError:
            pass


def multiplexing(conn):
    select.select([conn], [], [])
    return conn.recv(1)


def asynchronous(conn):
    ring, memory = Ring(), ctypes.create_string_buffer(1)
    ring.submit(RECV, conn.fileno(), memory)
    ring.enter(0)
    while not memory.raw[0]:
        hashlib.sha256(bytes(1_000_000))
    return memory.raw


def completion(conn):
    ring, memory = Ring(), ctypes.create_string_buffer(1)
    ring.submit(RECV, conn.fileno(), memory)
    ring.enter(1)
    return memory.raw


def refused(conn):
    raise OSError(1, "no io_uring here: a seccomp filter or kernel.io_uring_disabled forbids it")


def not_told(*_):
    raise sleep.NotTold


@pytest.fixture
def server_ends():
    """What was started is ended, whatever the test has found."""
    readers = []
    yield lambda read: readers.append(Reader(read)) or readers[-1]
    for reader in readers:
        assert reader.end()


class TestObserve:
    def test_a_blocking_reader_copies_in_the_call_in_which_it_slept(self):
        waiting, copying = observe(blocking)
        assert waiting == Phase("asleep in recvfrom", [], 0)
        assert copying == Phase("", ["recvfrom (the same call)"])

    def test_a_notice_comes_before_the_copy(self):
        """The thread is held between the two, so it is no race."""
        waiting, copying = observe(multiplexing)
        assert waiting == Phase("asleep in pselect6", [], 0)
        assert copying == Phase("", ["recvfrom"], (1, 0))

    def test_who_asks_all_the_time_is_held_before_it_asks_again(self):
        waiting, copying = observe(nonblocking)
        assert waiting.where == "running"
        assert {str(call) for call in waiting.calls} == {"recvfrom(client 1) = EAGAIN"}
        assert copying == Phase("", ["recvfrom"], (1, 0))

    def test_by_io_uring_the_bytes_are_there_when_the_thread_is_told(self):
        """What is recorded for machines without it is what comes out here."""
        seen = observe(completion)
        assert str(seen) == str(RECORDED_READS["completion"])
        assert str(observe(asynchronous)) == str(RECORDED_READS["asynchronous"])

    def test_where_io_uring_is_refused_what_was_recorded_is_shown(self, capsys, monkeypatch):
        monkeypatch.setattr(refused, "__name__", "completion")
        assert observe(refused) == RECORDED_READS["completion"]
        printed = capsys.readouterr().out
        assert printed.startswith("recorded: no io_uring here: a seccomp filter")
        assert printed.count("\n") == 1

    def test_an_error_of_the_function_is_told_with_its_line(self):
        def misspells(conn):
            return con.recv(1)  # noqa: F821

        with pytest.raises(Crashed, match=r"NameError: name 'con' is not defined .*line \d+"):
            observe(misspells)

    def test_what_was_returned_must_be_the_byte(self):
        """Else nothing is known of who copied it."""
        with pytest.raises(ValueError, match=r"returned None; what came was b'!'"):
            observe(lambda conn: conn.recv(1) and None)

    def test_can_be_drawn_and_read(self):
        seen = observe(blocking)
        assert "asleep in recvfrom" in str(five_models({"blocking": seen}))
        assert str(seen).splitlines()[0] == "waiting: asleep in recvfrom; kernel holds 0 bytes"


class TestReader:
    def test_is_a_server_like_any_other(self, server_ends):
        reader = server_ends(blocking)
        assert where_is(reader) == "asleep in recvfrom, waiting for client 1"
        assert reader.result is None
        reader.client.send(b"!")
        assert (reader.result, reader.done, reader.unread()) == (b"!", True, 0)
        assert [str(call) for call in reader.tape[1:]] == ["recvfrom(client 1) = 1"]

    def test_blocking_thread_is_woken_to_copy_and_sleeps_again(self, server_ends):
        """All in one call: this is how the lesson shows who copies."""
        memory = bytearray(2)
        reader = server_ends(lambda conn: conn.recv_into(memory, 2, socket.MSG_WAITALL))
        slept = reader.times_slept()
        reader.client.send(b"a")
        assert where_is(reader) == "asleep in recvfrom, waiting for client 1"
        assert (bytes(memory), reader.times_slept() - slept) == (b"a\0", 1)

    def test_who_sleeps_on_a_socket_that_was_closed_is_woken(self):
        """close() wakes nobody, and the bench can no longer name the socket."""
        reader = Reader(blocking)
        reader.conn.close()
        assert reader.waits() == "asleep in recvfrom"
        assert reader.end()

    def test_gives_its_io_uring_back(self, server_ends):
        reader = server_ends(completion)
        (ring,) = reader.tape.rings
        assert ring.lent
        assert reader.end()
        assert not ring.lent

    def test_names_the_helper_of_posix_aio(self, server_ends):
        """It is no thread of Python's (aio(7))."""
        reader = server_ends(posix_aio)
        assert until(reader.others) == ["read"]
        assert observe(posix_aio).copying == Phase(ELSEWHERE, (), 0)
        assert server_ends(blocking).others() == []

    def test_where_the_kernel_does_not_tell_of_others_what_was_recorded_is_shown(
        self, server_ends, capsys, monkeypatch
    ):
        """A sandbox may hide it: the lesson goes on, and of other readers nothing is made up."""
        told = {read.__name__: server_ends(read).others for read in (posix_aio, blocking)}
        assert until(told["posix_aio"]) == OTHERS["posix_aio"]
        monkeypatch.setattr(reader_module, "sleeping", not_told)
        assert told["posix_aio"]() == OTHERS["posix_aio"]
        assert capsys.readouterr().out == f"recorded: {sleep.NotTold.__doc__}".rstrip(".") + "\n"
        with pytest.raises(sleep.NotTold, match="This kernel does not name the call"):
            told["blocking"]()

    def test_nobody_sleeps_for_a_reader_on_io_uring(self, server_ends):
        """What is recorded for machines that do not tell is what comes out here."""
        for read in (asynchronous, completion):
            assert server_ends(read).others() == OTHERS[read.__name__]


class TestCheckReader:
    @pytest.mark.parametrize("read", [lambda conn: None, nonblocking], ids=["at once", "spins"])
    def test_stops_at_the_first_thing_that_is_wrong(self, read, capsys):
        check_reader(read)
        assert "FAIL" in capsys.readouterr().out

    def test_says_what_it_was_given_instead_of_a_recv(self, capsys):
        def by_read(conn):
            import os

            while True:
                select.select([conn], [], [])
                return os.read(conn.fileno(), 1)

        check_reader(by_read)
        assert "without a conn.recv()" in capsys.readouterr().out

    def test_one_byte_is_asked_for(self, capsys):
        """Whoever takes all that is there has taken what the next reader waits for."""

        def greedy(conn):
            while True:
                select.select([conn], [], [])
                try:
                    return conn.recv(100)
                except BlockingIOError:
                    pass

        check_reader(greedy)
        assert "expected b'!', got b'!?'" in capsys.readouterr().out

    def test_a_time_limit_is_no_hint_to_distrust(self, capsys):
        """Python's recv() with a timeout polls and reads; nobody can be held between the two."""

        def patient(conn):
            conn.settimeout(5)
            return conn.recv(1)

        check_reader(patient)
        assert "the exercise rules out settimeout()" in capsys.readouterr().out


def misspells(conn):
    return cnn.recv(1)  # noqa: F821


def test_what_a_reader_raises_is_no_result():
    """None would look like one that has not returned yet, and whoever waits for it waits long."""
    reader = Reader(misspells)
    try:
        with pytest.raises(Crashed, match="NameError: name 'cnn' is not defined"):
            until(lambda: reader.result)
    finally:
        reader.end()
