"""A process without descriptors."""

import errno
import os
import resource
import select
import socket

import pytest

from echo.lab import (
    listen,
    no_descriptors,
    outcome,
)


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
