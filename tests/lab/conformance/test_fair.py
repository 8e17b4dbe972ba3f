"""A good server is not failed for what is short here, for who else computes, or for its model."""

import contextlib
import resource
import subprocess
import sys

import pytest

from echo import epoll_server, nonblocking_server, select_server
from echo.lab.conformance import up_to
from echo.lab.conformance.subject import Failed
from echo.lab.conformance.verdict import examine
from echo.lab.run.process import NotAsked, Process, Unusable
from tests.lab.bench import run_python
from tests.lab.processes import PYTHON, verdict

TWO_HUNDRED = up_to("serves two hundred clients in any order")[-1]


@contextlib.contextmanager
def limited(soft):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.timing
@pytest.mark.parametrize("name", ["serves two hundred clients in any order",
                                  "needs little memory for a client"])  # fmt: skip
def test_low_soft_limit_is_raised(name):
    """As `ulimit -Sn 256` sets it."""
    with limited(256):
        examine(select_server.serve, up_to(name)[-1])


def test_where_descriptors_are_short_it_is_not_asked():
    """900 of 1024 are in use: the server's ends of two hundred more do not fit beside ours."""
    with contextlib.ExitStack() as files:
        for _ in range(900):
            files.enter_context(open("/dev/null", "rb"))
        with pytest.raises(NotAsked, match="too few open files are allowed here for 200 clients"):
            examine(select_server.serve, TWO_HUNDRED)


UNDER_A_LIMIT = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
from echo import epoll_server, io_uring_server
from echo.lab.conformance import up_to
from echo.lab.conformance.verdict import examine
from echo.lab.run.process import NotAsked

try:
    examine({server}.serve, up_to("survives a descriptor above 1023")[-1])
except NotAsked as reason:
    print("not asked:", reason)
"""


@pytest.mark.parametrize("server", ["epoll_server", "io_uring_server"])
def test_where_no_descriptor_is_above_1023_none_is_asked_about(server):
    """Where `ulimit -Hn` is 1024; every server failed there, and the bench was to blame."""
    printed = run_python(UNDER_A_LIMIT.format(server=server))
    assert printed == "not asked: no more than 1024 descriptors are allowed here\n"


POOL = """
    import concurrent.futures, socket, sys

    def echo(sock):
        with sock:
            while data := sock.recv(65536):
                sock.sendall(data)

    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=4096)
    waiting = __import__("threading").Semaphore(30)
    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        while True:
            waiting.acquire()
            sock, _ = listener.accept()
            pool.submit(echo, sock).add_done_callback(lambda _: waiting.release())
    """


@pytest.mark.timing
@pytest.mark.usefixtures("nobody_is_left")
def test_who_never_holds_such_a_descriptor_is_not_asked(write):
    """A pool lets the others wait, and that is its limit and no fault of this kind."""
    one = up_to("survives a descriptor above 1023")[-1]
    assert verdict(one, f"{PYTHON} {write(POOL)} {{port}}") == "-"


THREADS = """
    import socket, sys, threading

    def echo(sock):
        with sock:
            while data := sock.recv(8192):
                sock.sendall(data)

    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=100)
    while True:
        threading.Thread(target=echo, args=[listener.accept()[0]], daemon=True).start()
    """


@pytest.mark.timing
@pytest.mark.usefixtures("nobody_is_left")
@pytest.mark.parametrize("name", ["loses nothing when the client reads late",
                                  "finishes its answer to a half closed client",
                                  "sleeps while a half closed client does not read"])  # fmt: skip
def test_who_waits_in_send_with_a_small_buffer_is_made_to_owe(write, name):
    """A FIN opens the client's window a little, and the kernel takes 8 KiB back."""
    assert verdict(up_to(name)[-1], f"{PYTHON} {write(THREADS)} {{port}}") == "yes"


TURNS_AWAY = """
    import selectors, socket, sys
    selector = selectors.DefaultSelector()
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            try:
                if key.fileobj is listener:
                    selector.register(listener.accept()[0], selectors.EVENT_READ)
                    continue
                key.fileobj.sendall(data := key.fileobj.recv(65536))
            except OSError:
                data = b""
            if not data:
                selector.unregister(key.fileobj)
                key.fileobj.close()
    """


@pytest.mark.timing
@pytest.mark.usefixtures("nobody_is_left")
def test_client_that_is_turned_away_early_or_late_makes_no_difference(write):
    """The server closes its listener: the reset comes before or after connect() has returned.

    It sleeps then, and takes nobody any more: each is said by the requirement that asks for it.
    """
    command = f"{PYTHON} {write(TURNS_AWAY)} {{port}}"
    for _ in range(5):
        assert verdict(up_to("sleeps when descriptors have run out")[-1], command) == "yes"
        assert verdict(up_to("goes on when descriptors run out")[-1], command) == "no"


OPENS = """
    import contextlib, os, socket, sys

    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    number = 0
    while True:
        sock, _ = listener.accept()
        number += 1
        if {when}:
            os.pipe()
        with sock, contextlib.suppress(OSError):
            while data := sock.recv(65536):
                sock.sendall(data)
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("when", "expected"), [("number in (25, 45)", "yes"), ("number % 10 == 0", "no")]
)
def test_a_pool_of_descriptors_that_grows_is_no_leak(write, when, expected):
    """As that of Go: its io.Copy() keeps a pipe for splice() whenever two are used at a time."""
    command = f"{PYTHON} {write(OPENS.format(when=when))} {{port}}"
    assert verdict(up_to("gives its descriptors back")[-1], command) == expected


def test_listener_of_ipv6_alone_is_no_server_of_127_0_0_1():
    """Nobody could connect, whatever is asked of it: so nothing is."""
    with pytest.raises(Unusable, match=r"does not listen on port \d+ of 127.0.0.1 but on another"):
        Process(f"{PYTHON} -m echo select {{port}} --host ::").end()


COMPUTES = """
import os
parent = os.getppid()
while os.getppid() == parent:
    sum(range(1_000_000))
"""


@pytest.fixture
def load():
    others = [subprocess.Popen([sys.executable, "-c", COMPUTES]) for _ in range(14)]
    yield
    for other in others:
        other.kill()
        other.wait()


@pytest.mark.soak
@pytest.mark.usefixtures("load")
@pytest.mark.parametrize("name", ["sleeps while its clients are silent",
                                  "sleeps when descriptors have run out"])  # fmt: skip
def test_who_spins_is_caught_on_a_busy_machine(name):
    """A seventh of a processor is left for it, and not in every tenth of a second."""
    for _ in range(2):
        with pytest.raises(Failed):
            examine(nonblocking_server.serve, up_to(name)[-1])
        examine(epoll_server.serve, up_to(name)[-1])
