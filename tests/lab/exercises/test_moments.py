"""A thread is held just before it reads, or just after, and everything is put back."""

import os
import select
import socket
import threading

import pytest

from echo.lab.exercises.moments import READERS, held_at_read


def by_eventfd():
    bell = os.eventfd(0)
    write, read = (lambda: os.eventfd_write(bell, 1)), (lambda: os.eventfd_read(bell))
    return bell, write, read, lambda: os.close(bell)


def by_pipe():
    inside, outside = os.pipe()
    write, read = (lambda: os.write(outside, b"x")), (lambda: os.read(inside, 1))
    return inside, write, read, lambda: [os.close(fd) for fd in (inside, outside)]


def by_socket_pair():
    inside, outside = socket.socketpair()
    write, read = (lambda: outside.send(b"x")), (lambda: inside.recv(1))
    return inside, write, read, lambda: [sock.close() for sock in (inside, outside)]


@pytest.mark.parametrize("make", [by_eventfd, by_pipe, by_socket_pair])
@pytest.mark.parametrize("before", [True, False])
def test_asks_once_next_to_the_first_read(make, before):
    """Before the read there is something to read, and after it nothing."""
    fd, write, read, close = make()
    readable = []

    def loop():
        read()
        write()
        read()

    reading = threading.Thread(target=loop)
    write()
    with held_at_read(
        reading, lambda: readable.append(bool(select.select([fd], [], [], 0)[0])), before
    ):
        reading.start()
        reading.join()
    close()
    assert readable == [before]


def test_other_threads_read_as_ever():
    _, write, read, close = by_pipe()
    write()
    with held_at_read(threading.Thread(), lambda: pytest.fail("not asked"), True) as moment:
        assert read() == b"x"
    close()
    assert not moment.came


def test_everything_is_put_back():
    real = [getattr(owner, name) for owner, name in READERS]
    with held_at_read(threading.current_thread(), bool, True):
        assert [getattr(owner, name) for owner, name in READERS] != real
    assert [getattr(owner, name) for owner, name in READERS] == real
