"""The ring: what it promises its server, and what it says where it is forbidden."""

import ctypes
import errno
import gc
import select
import signal
import socket
import subprocess
import threading
import weakref
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from echo import io_uring_server, pool, ring
from echo.lab import start
from echo.pool import COUNT, Pool
from echo.ring import LINK, MORE, MULTISHOT, POLL, RECV, SEND, SIZE, Ring
from tests import lesser
from tests.paths import ROOT


@pytest.fixture
def io_uring():
    try:
        made = Ring()
    except OSError as error:
        pytest.skip(error.strerror)
    with closing(made):
        yield made


@pytest.fixture
def pairs():
    """A function: that many pairs of connected sockets."""
    with ExitStack() as stack:

        def make(count):
            made = [socket.socketpair() for _ in range(count)]
            for sock in (sock for pair in made for sock in pair):
                stack.enter_context(sock)
            return made

        yield make


def room(size=16):
    return ctypes.create_string_buffer(size)


def results(ring):
    """What is done, without the flags."""
    return [(operation, fd, result) for operation, fd, result, _ in ring.wait()]


def test_result_is_that_of_the_call(io_uring, pairs):
    """A number of bytes, or an errno with a minus; nothing is raised for one descriptor."""
    ((ours, theirs),) = pairs(1)
    io_uring.submit(SEND, ours.fileno(), b"hello")
    assert list(io_uring.wait()) == [(SEND, ours.fileno(), 5, 0)]
    assert theirs.recv(9) == b"hello"
    io_uring.submit(RECV, 999_999, room())
    assert list(io_uring.wait()) == [(RECV, 999_999, -errno.EBADF, 0)]


def test_bytes_are_there_when_we_hear_of_them(io_uring, pairs):
    """The kernel has waited, and has copied as well."""
    ((ours, theirs),) = pairs(1)
    memory = room()
    io_uring.submit(RECV, ours.fileno(), memory)
    io_uring.enter(0)
    theirs.send(b"late")
    assert results(io_uring) == [(RECV, ours.fileno(), 4)]
    assert memory[:4] == b"late"


def test_many_operations_cost_one_call(io_uring, pairs, monkeypatch):
    """This is what it is for."""
    calls = []
    real = ring.call
    monkeypatch.setattr(ring, "call", lambda *numbers: calls.append(numbers) or real(*numbers))
    many = pairs(100)
    for ours, _ in many:
        io_uring.submit(SEND, ours.fileno(), b"x")
    assert len(list(io_uring.wait())) == 100
    assert len(calls) == 1


def test_more_operations_than_the_ring_has_room_for(io_uring, pairs):
    """Nothing is lost when ten thousand clients move at once."""
    many = pairs(350)  # with more than SIZE in the submission ring, than 2 * SIZE in the other
    expected = set()
    for ours, theirs in many:
        for sock in (ours, theirs):
            io_uring.submit(SEND, sock.fileno(), b"x")
            expected.add((SEND, sock.fileno(), 1))
    assert len(expected) > 2 * SIZE
    done = set()
    while len(done) < len(expected):
        done |= set(results(io_uring))
    assert done == expected


def test_poll_tells_what_is_ready(io_uring, pairs):
    """Not used up by looking, as recv() would."""
    ((ours, theirs),) = pairs(1)
    theirs.send(b"x")
    io_uring.submit(POLL, ours.fileno(), flags=1)
    assert results(io_uring) == [(POLL, ours.fileno(), 1)]
    assert ours.recv(9) == b"x"


def test_memory_is_ours_again_after_close(pairs, io_uring):
    """The kernel must not write to what we have given back: whose it would be, nobody knows."""
    memory = [room() for _ in range(50)]
    many = pairs(50)
    taken = Ring()
    for (ours, _), one in zip(many, memory, strict=True):
        taken.submit(RECV, ours.fileno(), one)
    taken.enter(0)
    taken.close()
    assert taken.lent == {}
    for ours, theirs in many:
        theirs.send(b"x")
        assert ours.recv(9) == b"x"
    assert not any(map(any, (one.raw for one in memory)))


def test_buffer_that_nobody_holds_is_freed_at_once(io_uring, pairs):
    """ctypes.cast() ties a buffer to itself, and only the cyclic collector would free it."""
    ((ours, theirs),) = pairs(1)
    memory = room()
    died = weakref.ref(memory)
    gc.disable()
    try:
        io_uring.submit(RECV, ours.fileno(), memory)
        theirs.send(b"x")
        assert results(io_uring) == [(RECV, ours.fileno(), 1)]
        del memory
        assert died() is None
    finally:
        gc.enable()


def test_linked_operations_run_one_after_the_other(io_uring, pairs):
    """The second begins when the first is done; where the first fails, it is cancelled."""
    ((ours, theirs),) = pairs(1)
    io_uring.submit(RECV, ours.fileno(), room(), how=LINK)
    io_uring.submit(SEND, ours.fileno(), b"reply")
    io_uring.enter(0)
    assert not select.select([theirs], [], [], 0)[0]
    theirs.send(b"x")
    done = []
    while len(done) < 2:
        done += results(io_uring)
    assert done == [(RECV, ours.fileno(), 1), (SEND, ours.fileno(), 5)]
    io_uring.submit(RECV, 999_999, room(), how=LINK)
    io_uring.submit(SEND, ours.fileno(), b"reply")
    assert sorted(result for _, _, result in results(io_uring)) == [
        -errno.ECANCELED,
        -errno.EBADF,
    ]


class TestPool:
    @pytest.fixture
    def pool(self, io_uring):
        return Pool(io_uring)

    def test_takes_a_buffer_when_bytes_arrive(self, pool, pairs):
        """And gives it back: it can be had more often than there are buffers."""
        ((ours, theirs),) = pairs(1)
        for number in range(3 * COUNT):
            pool.receive(ours.fileno())
            pool.ring.enter(0)
            theirs.send(b"piece %d" % number)
            ((_, _, result, flags),) = pool.ring.wait()
            assert pool.take(result, flags) == b"piece %d" % number

    def test_who_is_silent_holds_none(self, pool, pairs):
        """More clients wait than there are buffers, and the last is served."""
        many = pairs(3 * COUNT)
        for ours, _ in many:
            pool.receive(ours.fileno())
        pool.ring.enter(0)
        many[-1][1].send(b"last")
        ((_, fd, result, flags),) = pool.ring.wait()
        assert (fd, pool.take(result, flags)) == (many[-1][0].fileno(), b"last")

    def test_end_of_input_costs_no_buffer(self, pool, pairs):
        many = pairs(COUNT + 1)
        for ours, theirs in many:
            theirs.close()
            pool.receive(ours.fileno())
        done = list(pool.ring.wait())
        assert [pool.take(result, flags) for _, _, result, flags in done] == [b""] * len(many)

    def test_says_when_all_are_taken(self, pool, pairs):
        """What has arrived stays in the kernel until there is a buffer."""
        many = pairs(COUNT + 1)
        for ours, theirs in many:
            theirs.send(b"x")
            pool.receive(ours.fileno())
        done = list(pool.ring.wait())
        assert [result for _, _, result, _ in done] == [1] * COUNT + [-errno.ENOBUFS]
        pool.take(1, done[0][3])
        pool.receive(many[-1][0].fileno())
        assert results(pool.ring) == [(RECV, many[-1][0].fileno(), 1)]

    def test_many_shots_end_when_the_buffers_do(self, pool, pairs):
        """Until then the kernel receives without being asked again (Linux 6.0)."""
        ((ours, theirs),) = pairs(1)
        pool.receive(ours.fileno(), shots=MULTISHOT)
        for _ in range(COUNT + 1):
            theirs.send(b"x")
            pool.ring.enter(0)
        done = []
        while (RECV, ours.fileno()) in pool.ring.lent:
            done += [(result, flags & MORE) for _, _, result, flags in pool.ring.wait()]
        assert done == [(1, MORE)] * COUNT + [(-errno.ENOBUFS, 0)]
        assert ours.recv(9) == b"x"

    def test_memory_of_the_pool_is_held_while_the_kernel_may_write_to_it(self, io_uring, pairs):
        ((ours, _),) = pairs(1)
        Pool(io_uring).receive(ours.fileno())
        gc.collect()
        assert len(io_uring.lent[RECV, ours.fileno()]) == COUNT * pool.SIZE


def test_signal_does_not_end_the_wait(io_uring, pairs):
    """It reaches a server's thread as well as any other."""
    ((ours, theirs),) = pairs(1)
    io_uring.submit(RECV, ours.fileno(), room())
    before = signal.signal(signal.SIGUSR1, lambda *_: theirs.send(b"x"))
    try:
        timer = threading.Timer(0.05, signal.pthread_kill, [threading.get_ident(), signal.SIGUSR1])
        timer.start()
        done = []
        while not done:
            done = results(io_uring)
    finally:
        signal.signal(signal.SIGUSR1, before)
        timer.join()
    assert done == [(RECV, ours.fileno(), 1)]


def test_crash_of_the_server_gives_the_memory_back(io_uring, monkeypatch):
    """Its clients may go on sending; a notebook's kernel must not be hit."""
    rings = []
    monkeypatch.setattr(io_uring_server, "Ring", lambda: rings.append(Ring()) or rings[-1])
    server = start(io_uring_server.serve)
    clients = [server.connect() for _ in range(20)]
    assert rings[0].lent
    server.end()
    assert rings[0].lent == {}
    for client in clients:
        client.close()


# Forbidden: what a container's filter does, installed in a child.


@pytest.mark.skipif(not lesser.CAN_FORBID, reason="other numbers")
@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EPERM, "a seccomp filter or kernel.io_uring_disabled forbids it"),
        (errno.ENOSYS, "the kernel has none"),
        (errno.ENOMEM, "the limit on locked memory (ulimit -l) is too low"),
        (errno.EINVAL, "it needs Linux 5.19 or newer"),
    ],
)
def test_who_forbids_it_is_told_in_one_line(number, words):
    """Docker does, and many hosted machines: nobody shall look for the fault in our code."""
    done = subprocess.run(
        [*lesser.without_io_uring(number), "-m", "echo", "io_uring", "0"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.stderr == f"python -m echo: no io_uring here: {words}\n"
    assert done.returncode == 1


def test_server_that_waits_for_nothing_that_comes_can_be_stopped(io_uring):
    """Who forgets to ask for the next client sleeps in the ring for ever; the bench wakes it."""

    def serve(listener):
        with closing(Ring()) as made:
            made.submit(POLL, listener.fileno(), flags=1)
            while True:
                for _ in made.wait():
                    listener.accept()[0].close()

    with start(serve) as server, server.connect():
        pass
    assert server.ended


def test_memory_is_ours_again_when_a_ring_is_dropped(io_uring, pairs):
    """Who forgets close() shall not have the kernel write to memory that is somebody else's."""
    ((ours, theirs),) = pairs(1)
    memory = room()
    dropped = Ring()
    dropped.submit(RECV, ours.fileno(), memory)
    dropped.enter(0)
    before = len(list(Path("/proc/self/fd").iterdir()))
    del dropped
    assert len(list(Path("/proc/self/fd").iterdir())) < before
    theirs.send(b"x")
    assert ours.recv(9) == b"x"
    assert not any(memory.raw)
