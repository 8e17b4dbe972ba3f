"""Servers on io_uring: what they owe, hold and say is seen from outside, however they accept."""

import contextlib
import errno
import os
import socket

import pytest

from echo.connection import Connection
from echo.lab.conformance import REQUIREMENTS, title, up_to
from echo.lab.conformance.subject import Failed
from echo.lab.conformance.verdict import examine
from echo.lab.run.process import NotAsked
from echo.pool import Pool
from echo.ring import ACCEPT, RECV, SEND, Ring
from tests.lab.processes import PYTHON, verdict
from tests.paths import ROOT

ACCEPT_ALONE = {  # what can be done to accept(2) alone
    "goes on when descriptors run out",
    "sleeps when descriptors have run out",
    "survives a descriptor above 1023",
}
RECV_ALONE = {"serves a quiet client beside a flood", "answers a client that goes on sending"}


def on_a_ring(listener, end=socket.socket.close):
    """Accepts, receives and sends on a ring; `end` ends a connection."""
    connections = {}
    with contextlib.ExitStack() as stack:  # the ring is closed first
        stack.callback(lambda: [conn.sock.close() for conn in connections.values()])
        ring = stack.enter_context(contextlib.closing(Ring()))
        pool = Pool(ring)
        ring.submit(ACCEPT, listener.fileno())
        while True:
            for operation, fd, result, flags in ring.wait():
                if operation == ACCEPT:
                    ring.submit(ACCEPT, fd)
                    if result >= 0:
                        connections[result] = Connection(socket.socket(fileno=result))
                        pool.receive(result)
                    continue
                conn = connections[fd]
                if operation == RECV and result >= 0:
                    conn.received(pool.take(result, flags))
                elif result >= 0:
                    conn.sent(result)
                elif result != -errno.ENOBUFS:
                    conn.lost()
                if conn.unsent:
                    ring.submit(SEND, fd, conn.unsent)
                elif conn.wanted():
                    pool.receive(fd)
                else:
                    end(connections.pop(fd).sock)


def leaks(listener):
    def end(sock):
        os.dup(sock.fileno())
        with contextlib.suppress(OSError):  # its client has reset
            sock.shutdown(socket.SHUT_RDWR)

    on_a_ring(listener, end)


def deaf(listener):
    """It takes its clients, and never hears them."""
    with contextlib.closing(Ring()) as ring:
        ring.submit(ACCEPT, listener.fileno())
        while True:
            for _ in ring.wait():
                ring.submit(ACCEPT, listener.fileno())


@pytest.mark.timing
@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=title)
def test_io_uring_server_that_accepts_on_its_ring_is_judged_like_any_other(requirement):
    """What an operation under way still owes is seen; what is done to accept() it does not meet."""
    if title(requirement) in ACCEPT_ALONE:
        with pytest.raises(NotAsked, match="its clients come another way"):
            examine(on_a_ring, requirement)
    elif title(requirement) in RECV_ALONE:
        with pytest.raises(NotAsked, match="this server receives another way"):
            examine(on_a_ring, requirement)
    else:
        examine(on_a_ring, requirement)


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_what_an_io_uring_server_leaks_is_seen():
    """Nobody has told the bench of these sockets: the kernel lists them."""
    before = set(os.listdir("/proc/self/fd"))
    try:
        with pytest.raises(Failed, match="still holds 20 descriptors of theirs"):
            examine(leaks, up_to("gives its descriptors back")[-1])
    finally:
        for fd in set(os.listdir("/proc/self/fd")) - before:
            with contextlib.suppress(OSError):
                os.close(int(fd))


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("collected", "impatient")
def test_nothing_false_is_said_of_an_io_uring_server():
    """That it has accepted nobody, say."""
    with pytest.raises(Failed) as told:
        examine(deaf, REQUIREMENTS[0])
    assert "has not accepted anybody" not in str(told.value)
    assert "asleep in io_uring_enter" in str(told.value)


# Descriptors of the ring alone: IORING_FILE_INDEX_ALLOC, io_uring_enter(2).

DIRECT = f"""
    import contextlib, ctypes, resource, socket, struct, sys
    sys.path.insert(0, {str(ROOT)!r})
    from echo.ring import ACCEPT, ENTRY, RECV, SEND, SIZE, Ring
    from echo.syscall import call

    REGISTER, FILES, FIXED, CLOSE, ANY, MANY = 427, 2, 1, 19, 0xFFFFFFFF, 3000

    class Direct(Ring):
        def submit(self, operation, fd, memory=b"", slot=0, fixed=0, **more):
            super().submit(operation, fd, memory, how=FIXED * fixed, **more)
            at = ENTRY.size * ((self.tail.value - 1) % SIZE) + 44  # file_index
            struct.pack_into("I", self.entries, at, slot)

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=4096)
    with contextlib.closing(Direct()) as ring:
        none = (ctypes.c_int * MANY)(*[-1] * MANY)
        call(REGISTER, ring.fd, FILES, ctypes.addressof(none), MANY, 0, 0)
        ring.submit(ACCEPT, listener.fileno(), slot=ANY)
        buffers = {{}}
        while True:
            for operation, fd, result, _ in ring.wait():
                if operation == ACCEPT:
                    ring.submit(ACCEPT, fd, slot=ANY)
                    if result >= 0:
                        buffers[result] = ctypes.create_string_buffer(1 << 16), b""
                        ring.submit(RECV, result, buffers[result][0], fixed=1)
                elif operation == CLOSE:
                    pass
                elif result <= 0:
                    del buffers[fd]
                    ring.submit(CLOSE, 0, slot=fd + 1)
                else:
                    buffer, rest = buffers[fd]
                    rest = buffer.raw[:result] if operation == RECV else rest[result:]
                    buffers[fd] = buffer, rest
                    if rest:
                        ring.submit(SEND, fd, rest, fixed=1)
                    else:
                        ring.submit(RECV, fd, buffer, fixed=1)
    """


@pytest.mark.timing
@pytest.mark.usefixtures("nobody_is_left")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("serves two hundred clients in any order", "yes"),
        ("loses nothing when the client reads late", "yes"),
        ("survives a descriptor above 1023", "-"),
    ],
)
def test_io_uring_server_with_direct_descriptors_is_judged_fairly(write, name, expected):
    """It serves thousands, and not one of them has a descriptor in its table."""
    assert verdict(up_to(name)[-1], f"{PYTHON} {write(DIRECT)} {{port}}") == expected
