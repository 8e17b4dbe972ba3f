"""Ten thousand connections that say nothing, beside a few that do."""

import resource
import signal
import subprocess
import sys

import pytest

from tests.servers.command import PATIENCE, Server, echoed, memory

CROWD = 10_000
MIB = 1 << 20
GROWS = {"poll": 4, "epoll": 4, "epoll_edge": 4, "coroutine": 12}  # at most, in MiB

# A process of its own holds them: one may not have as many descriptors as two.
HOLDER = """
import socket, struct, sys, time
port, count = map(int, sys.argv[1:])
began = time.monotonic()
socks = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(count)]
for sock in socks:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
print(time.monotonic() - began, flush=True)
sys.stdin.readline()
for sock in socks:
    sock.sendall(b"x")
print(sum(sock.recv(9) == b"x" for sock in socks), flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def room():
    """Descriptors for the server and for the holder, as children inherit them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < CROWD + 100:
        pytest.skip(f"no process may have more than {hard} descriptors here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, CROWD + 100), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.timing
@pytest.mark.parametrize(("name", "most"), GROWS.items())
def test_ten_thousand_are_served(name, most, room):
    """In seconds: the queue of the listener is long enough, or each dropped SYN costs one.

    A client costs some hundred bytes; with a coroutine for each it is not quite a thousand.
    """
    with Server(name) as server:
        before = memory(server)
        command = [sys.executable, "-c", HOLDER, str(server.address[1]), str(CROWD)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as holder:
            try:
                seconds = float(holder.stdout.readline())
                with server.connect() as sock:
                    assert echoed(sock, b"hello")
                    assert memory(server) - before <= most * MIB
                    holder.stdin.write("\n")
                    holder.stdin.flush()
                    assert int(holder.stdout.readline()) == CROWD
                assert seconds < PATIENCE / 2
            finally:
                holder.kill()
        assert server.end(signal.SIGTERM) == ""
