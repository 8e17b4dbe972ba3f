"""The servers that wait for many at once, each as a process, and what a process has to bear."""

import hashlib
import os
import random
import resource
import signal
import socket
import struct
import threading
import time
from contextlib import ExitStack

import pytest

from echo.lab.kernel.sockets import listeners, longest_queue
from tests.servers.command import PATIENCE, Server, echoed, memory, of_process, stall, until

NAMES = ["select", "poll", "epoll", "epoll_edge", "coroutine", "sigio", "io_uring"]
EXPRESSES = {"select": 1024}  # the first descriptor that a server cannot wait for
MIB = 1 << 20
HANG_UP = struct.pack("ii", 1, 0)  # SO_LINGER for no time at all: close() sends a reset


@pytest.fixture(params=NAMES)
def server(request):
    with Server(request.param) as server:
        server.name = request.param
        with server.connect() as sock:  # what is made for the first client is there
            assert echoed(sock, b"hello")
        until(lambda: asleep(server))
        yield server


@pytest.fixture
def room():
    """A function: a limit for ourselves under which that many clients have room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def make(clients):
        enough = clients + 100
        if hard < enough:
            pytest.skip(f"no process may have more than {hard} descriptors here")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, enough), hard))

    yield make
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def crowd(server):
    """A function: that many more clients, connected; they leave with the test."""
    with ExitStack() as stack:
        yield lambda count: [stack.enter_context(server.connect()) for _ in range(count)]


def limit(server, most):
    """Let it have no more than so many descriptors, from now on and for good."""
    most = min(most, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (most, most))


def descriptors(server):
    return sorted(map(int, os.listdir(f"/proc/{server.pid}/fd")))


def queued(server):
    """How many clients are connected and not accepted yet."""
    return sum(listener.waiting for listener in listeners(server.address[1]))


def state(server):
    """R if it runs or could, S if it sleeps; and the ticks that it has computed."""
    state, *fields = of_process(server, "stat").rpartition(")")[2].split()
    return state, int(fields[10]) + int(fields[11])  # utime, stime


def cpu(server):
    return state(server)[1]


def asleep(server):
    """In two looks, with nothing computed in between."""
    before = state(server)
    time.sleep(0.005)
    return before[0] == "S" and state(server) == before


def served(clients):
    """Those to whom the server echoes; it has closed the others."""
    return [sock for n, sock in enumerate(clients) if echoed(sock, b"client %d" % n)]


@pytest.mark.timing
def test_stream_comes_back_byte_for_byte_through_a_slow_reader(server):
    """Sends are partial, reading stops and goes on: 64 MiB, of which not one byte may be lost."""
    stream = random.Random(7).randbytes(MIB + 1) * 64
    with socket.socket() as sock:
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, 32 * 1024)
        sock.settimeout(PATIENCE)
        sock.connect(server.address)

        def send():
            sock.sendall(stream)
            sock.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        count, digest, pause = 0, hashlib.sha256(), 0
        while data := sock.recv(256 * 1024):
            count += len(data)
            digest.update(data)
            if count >= pause:  # until everything that can fill up is full
                until(lambda: asleep(server))
                pause += 4 * MIB
        sender.join()
    assert count == len(stream)
    assert digest.digest() == hashlib.sha256(stream).digest()


def test_nine_hundred_clients_are_served_at_once(server, crowd, room):
    """The loop gets through all that are ready, and mixes nobody up with another."""
    room(900)
    clients = crowd(900)
    for n, sock in enumerate(clients):
        sock.sendall(b"client %d" % n)
    for n, sock in reversed([*enumerate(clients)]):
        assert sock.recv(100) == b"client %d" % n


@pytest.mark.timing
def test_two_thousand_resets_are_survived(server):
    """They come before accept(), before recv() and before send(); each gives back what it held."""
    before = descriptors(server)
    for n in range(2000):
        with server.connect() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, HANG_UP)
            if n % 2:
                sock.send(bytes(1000))
    # A server that is behind may hold all of them, and select() could not express the next one:
    # see the next test.
    until(lambda: not queued(server) and descriptors(server) == before)
    with server.connect() as sock:
        assert echoed(sock, b"hello")
    until(lambda: descriptors(server) == before)


@pytest.mark.timing
def test_client_behind_a_thousand_dead_ones_is_served_if_it_can_be_expressed(server, room):
    """All of them are accepted before any is served, so it gets a descriptor above 1023."""
    if longest_queue() < 2000:
        pytest.skip(f"no more than {longest_queue()} clients may wait in a queue here")
    room(1500)
    limit(server, 4096)
    before = descriptors(server)
    os.kill(server.pid, signal.SIGSTOP)
    until(lambda: state(server)[0] == "T")
    for _ in range(1500):
        with server.connect() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, HANG_UP)
    with server.connect() as sock:
        os.kill(server.pid, signal.SIGCONT)
        assert echoed(sock, b"hello") == (server.name not in EXPRESSES)
    until(lambda: not queued(server) and descriptors(server) == before)
    with server.connect() as sock:
        assert echoed(sock, b"hello")


@pytest.mark.timing
def test_client_that_never_reads_costs_little_memory(server):
    """At most 2 MiB: what it sends waits at its end, not at ours."""
    before = memory(server)
    with server.connect() as sock:
        sent = stall(sock, most=64 * MIB)
        until(lambda: asleep(server))
        assert sent < 64 * MIB
        assert memory(server) - before <= 2 * MIB


def test_what_was_echoed_does_not_stay_in_memory(server, crowd):
    """A hundred clients that have their 64 KiB again cost less than what they have sent."""
    clients = crowd(100)
    assert served(clients) == clients
    before = memory(server)
    for sock in clients:
        assert echoed(sock, bytes(64 * 1024))
    until(lambda: asleep(server))
    assert memory(server) - before <= 2 * MIB


@pytest.mark.timing
def test_idle_client_costs_less_than_a_page(server, crowd, room):
    """A buffer for each, or a thread, would be several: 1000 clients that have said one thing."""
    room(1000)
    served(crowd(10))
    until(lambda: asleep(server))
    before = memory(server)
    assert len(served(crowd(1000))) == 1000
    until(lambda: asleep(server))
    assert memory(server) - before <= 1000 * 4096


@pytest.mark.timing
def test_former_clients_cost_nothing(server, room):
    """Five thousand came and went: what was made for them is free when they have gone."""
    room(500)
    limit(server, 1000)
    empty = descriptors(server)
    before = memory(server)
    for _ in range(10):
        with ExitStack() as stack:
            clients = [stack.enter_context(server.connect()) for _ in range(500)]
            assert served(clients) == clients
        until(lambda: descriptors(server) == empty)
    assert memory(server) - before <= MIB


@pytest.fixture
def full(server, crowd, room):
    """A server that may have 64 descriptors, and those of 200 clients whom it serves."""
    room(200)
    limit(server, 64)
    return served(crowd(200))


def test_full_server_serves_all_it_has_room_for(server, full):
    """But for one descriptor, which it keeps in order to turn the others away."""
    assert len(descriptors(server)) == 63
    assert len(served(full)) == len(full) > 50


@pytest.mark.timing
def test_full_server_sleeps(server, full):
    """A listener that stays readable because accept() fails makes a loop spin."""
    until(lambda: asleep(server))
    before = cpu(server)
    time.sleep(0.3)
    assert cpu(server) == before


def test_full_server_serves_new_clients_when_others_leave(server, full, crowd):
    """Running out of descriptors is a state, not an end."""
    held = len(descriptors(server))
    for sock in full[:20]:
        sock.close()
    until(lambda: len(descriptors(server)) == held - 20)
    assert len(served(crowd(19))) == 19  # the twentieth place is the spare's again
    assert len(served(full[20:])) == len(full) - 20


def test_clients_it_cannot_express_are_closed_and_the_others_served(server, crowd, room):
    """select() raises ValueError for one descriptor above 1023: it would end them all."""
    room(1500)
    limit(server, 4096)
    expressed = served(crowd(1500))
    if server.name in EXPRESSES:
        assert descriptors(server) == [*range(EXPRESSES[server.name])]
    else:
        assert len(expressed) == 1500
    assert len(served(expressed)) == len(expressed)
