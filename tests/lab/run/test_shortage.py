"""A process without descriptors."""

import errno
import os
import resource
import select
import socket
import threading
from types import SimpleNamespace

import IPython
import pytest

from echo.lab import (
    listen,
    no_descriptors,
    outcome,
    settle_descriptors,
)
from tests.lab.bench import in_less_than


class TestNoDescriptors:
    def test_nothing_can_be_opened(self):
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        with no_descriptors():
            assert outcome(os.open, os.devnull, os.O_RDONLY) == "EMFILE"
            assert outcome(socket.socket) == "EMFILE"
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == limits
        socket.socket().close()

    def test_what_is_open_stays_open(self):
        ours, theirs = socket.socketpair()
        with ours, theirs, no_descriptors():
            ours.send(b"hello")
            assert theirs.recv(100) == b"hello"

    def test_closing_one_makes_room_for_one(self):
        spare = os.open(os.devnull, os.O_RDONLY)
        with no_descriptors():
            os.close(spare)
            taken = os.open(os.devnull, os.O_RDONLY)
            assert taken == spare
            assert outcome(os.dup, 0) == "EMFILE"
        os.close(taken)

    def test_a_gap_between_numbers_is_no_room(self):
        """Numbers that are free below the highest open one are taken, too."""
        low, high = os.open(os.devnull, os.O_RDONLY), os.open(os.devnull, os.O_RDONLY)
        os.close(low)
        with no_descriptors():
            assert outcome(os.dup, 0) == "EMFILE"
        os.close(high)

    def test_closing_one_above_a_gap_makes_room_for_one(self):
        """Which numbers are free differs from one front end to another."""
        low, spare = os.open(os.devnull, os.O_RDONLY), os.open(os.devnull, os.O_RDONLY)
        os.close(low)
        with no_descriptors():
            os.close(spare)
            assert os.dup(0) == spare
            assert outcome(os.dup, 0) == "EMFILE"
        os.close(spare)

    @pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(errno.EMFILE, "none")])
    def test_the_limit_comes_back_after_an_error(self, error):
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        with pytest.raises((KeyboardInterrupt, OSError)), no_descriptors():
            raise error
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == limits

    def test_accept_fails_and_the_listener_stays_readable(self):
        listener = listen()
        client = socket.create_connection(listener.getsockname(), timeout=5)
        poller = select.poll()
        poller.register(listener, select.POLLIN)
        with listener, client:
            with no_descriptors():
                assert [outcome(listener.accept) for _ in range(9)] == ["EMFILE"] * 9
                assert poller.poll(0)
            ours, _ = listener.accept()
            with ours:
                ours.send(b"hello")
                assert client.recv(100) == b"hello"


class Held:
    """A descriptor in garbage: nobody can reach it, and it is open until garbage is collected."""

    def __init__(self, number):
        self.number, self.itself = number, self

    def __del__(self):
        os.close(self.number)


class TestSettleDescriptors:
    def test_garbage_has_been_closed(self):
        number = os.dup(0)
        Held(number)
        settle_descriptors()
        assert outcome(os.fstat, number) == "EBADF"

    def test_whoever_hears_of_that_has_closed_its_own(self):
        """A server's thread, say: it takes a moment until it has read the end of its client."""
        ours, theirs = socket.socketpair()
        number = theirs.fileno()
        closes = threading.Thread(target=lambda: (theirs.recv(1), theirs.close()))
        closes.start()
        Held(ours.detach())
        settle_descriptors()
        assert outcome(os.fstat, number) == "EBADF"
        closes.join()

    def test_ipython_has_stored_the_running_cell(self, monkeypatch):
        """What becomes of it in a real kernel: tests/lessons/test_descriptor_numbers.py."""
        calls = []
        history = SimpleNamespace(writeout_cache=lambda: calls.append("stored"))
        monkeypatch.setattr(
            IPython, "get_ipython", lambda: SimpleNamespace(history_manager=history)
        )
        settle_descriptors()
        assert calls == ["stored"]

    def test_who_never_stops_is_not_waited_for(self):
        over = threading.Event()

        def opens():
            held = []
            while not over.is_set():
                held.append(os.open(os.devnull, os.O_RDONLY))
                if len(held) > 100:
                    os.close(held.pop(0))
                over.wait(0.001)
            for number in held:
                os.close(number)

        thread = threading.Thread(target=opens)
        thread.start()
        try:
            with in_less_than(5):
                settle_descriptors()
        finally:
            over.set()
            thread.join()
