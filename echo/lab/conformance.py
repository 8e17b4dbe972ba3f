"""What every echo server must do: one plain function for each requirement.

    check(serve)              # in a notebook: from easy to hard, up to the first failure
    examine(serve, one)       # for pytest: one requirement, raises Failed
    python -m echo.lab.conformance --help    # in a terminal: a file, or any command (judge.py)

A requirement takes a running server as the suite sees it, a Subject.  Its name is what is
required and its docstring the reason.  All but one run with kernel buffers small enough to be
filled (16 KiB are asked for; Linux doubles that, socket(7)).
"""

import ast
import contextlib
import gc
import inspect
import os
import socket
import statistics
import struct
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from echo.lab.background import RESTLESS, RETURNED, Server, checked, more_descriptors, start
from echo.lab.kernel import unread
from echo.lab.process import AT_ONCE, Process

SOON = 2  # seconds by which anything that works has happened
LATE = 5  # seconds after which we go on without what normally comes at once
SHARE = 0.05  # of one processor: who asks ten times a second needs less, who spins gets more
BUFFER = 16 * 1024  # what we ask the kernel to hold in each direction, in bytes
LONG = 4 * 1024 * 1024  # more than these and any sensible server hold for one client
REQUIREMENTS: list[Callable] = []

DEAF = (
    "it does not stop when it is told to: does it swallow every exception, with a bare "
    "`except:`, or wait for something other than its sockets?"
)


class Failed(AssertionError):
    """The server does not meet a requirement; the message is the conversation."""


def requirement(again: str, buffer: int | None = BUFFER, small: bool = False) -> Callable:
    """Add a function to the suite.  `again`: code that shows the same without the suite;
    `small`: whether it takes small buffers to see it."""

    def add(function: Callable) -> Callable:
        option = f", buffer={buffer}" if small else ""
        imports = [f"import {name}" for name in ("socket", "struct", "time") if f"{name}." in again]
        lines = [
            *imports,
            "tape = Tape()",
            f"server = start({{}}, tape{option})",
            inspect.cleandoc(again),
        ]
        function.again, function.buffer = "\n".join(lines), buffer  # type: ignore[attr-defined]
        REQUIREMENTS.append(function)
        return function

    return add


# -- a server, and clients that remember what was said ----------------------------------------


class Subject:
    """A running server as a requirement sees it, and the conversation with it so far."""

    def __init__(self, server: Server | Process) -> None:
        self.server = server
        self.step = 8 * BUFFER if server.can_send else BUFFER  # what a client sends at once
        self.enough = server.can_send + 8 * BUFFER  # the server owes some of it until we read
        self.long = server.can_send + LONG
        self.much = self.long + server.can_receive  # no sensible server takes it all
        self.lines: list[str] = []
        self.talkers: list[Talker] = []

    def connect(self) -> "Talker":
        if len(self.talkers) % AT_ONCE == AT_ONCE - 1:  # as many as the shortest queue takes
            self.server.catch_up()
        self.talkers.append(talker := Talker(self, f"client {len(self.talkers) + 1}"))
        return talker

    def settle(self, patience: float = 0) -> bool:
        """Wait until it has reacted; if it will not come to rest, something else tells."""
        try:
            self.server.settle(patience or SOON)
        except TimeoutError:
            return False
        return True

    def wait(self, condition: Callable) -> None:
        """Until it holds, the server has ended, or it is too late; opens no file."""
        deadline = time.monotonic() + LATE
        while not condition() and not self.server.ended and time.monotonic() < deadline:
            time.sleep(0.001)

    def run_out_of_descriptors(self) -> None:
        """Of the descriptors that are open now, closing one of the server's helps."""
        gc.collect()  # now, not later: servers that have ended give theirs back as well
        self.server.run_out_of_descriptors({talker.sock.fileno() for talker in self.talkers})
        self.lines.append("from now on accept() fails with EMFILE: no descriptor is left")

    def refused(self) -> bool:
        """Whether accept() has failed with EMFILE and nothing has been accepted since."""
        return self.server.refused()

    def expect(self, holds: bool, line: str) -> None:
        if not holds:
            self.fail(line)

    def fail(self, *lines: str) -> None:
        self.settle(0.2)  # it may be about to crash
        raise Failed("\n".join([*self.lines, *lines, *self.state()]))

    def state(self) -> Iterator[str]:
        if self.server.crash is not None:
            yield self.server.crash
            return
        yield f"the server is {self.server.where_is()}"
        if self.server.arrived == 0:
            yield "it has not accepted anybody"
            if isinstance(self.server, Server) and "accept4" in self.server.where_is():
                yield "it waits at a listener of its own: serve() is given one to accept from"

    def expect_asleep(self) -> None:
        """Nothing happens, so it uses no processor time; ours and that of others not counted."""
        rests = self.settle()
        began, slept, before = time.monotonic(), self.server.times_slept(), self.server.cpu()
        for _ in range(20):  # not in one piece: a virtual machine may stand still for that long
            time.sleep(0.01)

        def busy() -> bool:
            """Who spins gets a part of a busy machine, if a small one; who sleeps gets nothing."""
            spent = self.server.cpu() - before
            return spent > 0.01 and spent > SHARE * (time.monotonic() - began)

        if not rests:  # it may have to wait for its part
            self.wait(busy)
        self.expect(not busy(), "nothing happens, and yet the server is busy all the time")
        often = (self.server.times_slept() - slept) / (time.monotonic() - began) > RESTLESS
        self.expect(not often, "nothing happens, and yet the server wakes up all the time")

    def close(self) -> None:
        self.server.full = None  # when the clients leave, there are descriptors again
        for talker in self.talkers:
            talker.sock.close()


class Talker:
    """A client that writes down what it says and hears."""

    def __init__(self, subject: Subject, name: str) -> None:
        self.subject, self.name = subject, name
        self.sock = socket.socket()
        if subject.server.buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, subject.step)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, subject.server.buffer)
        self.sock.settimeout(SOON)
        try:
            self.sock.connect(subject.server.address)
        except OSError as error:
            self.sock.close()
            subject.fail(f"{name} cannot connect: {error.strerror or error}")
        self.note("connects")

    def note(self, what: str) -> None:
        self.subject.lines.append(f"{self.name} {what}")

    def says(self, data: bytes) -> None:
        self.note(f"sends     {short(data)}")
        try:
            self.sock.sendall(data)
        except OSError as error:
            self.subject.fail(f"{self.name} cannot send: {error.strerror or error}")

    def says_urgently(self, data: bytes) -> None:
        self.note(f"sends     {short(data)}, urgent")
        self.sock.send(data, socket.MSG_OOB)

    @contextlib.contextmanager
    def saying(self, data: bytes) -> Iterator[None]:
        """Send from a second thread, so that we can do something else meanwhile."""
        self.note(f"sends     {short(data)}")

        def body() -> None:
            with contextlib.suppress(OSError):  # then the reader will miss it
                self.sock.sendall(data)

        thread = threading.Thread(target=body, daemon=True)
        thread.start()
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)  # if all went well, it has been sent
            thread.join(SOON)

    def hears_all(self, data: bytes) -> None:
        """What stuffs() has sent; how much that is differs from run to run."""
        self.note("begins to read")
        self.hears(data, "all of it")

    def hears(self, data: bytes, called: str = "") -> None:
        """Exactly these bytes, in as many pieces as they come."""
        called = called or short(data)
        got, end = self.receive(len(data))
        if got != data:
            came = short(got) if got else "nothing"
            if len(data) > 20 and got:  # how much it is differs from run to run
                came = "a part of it" if len(got) < len(data) else "as many, but not those"
            self.note(f"expects   {called}")
            self.subject.fail(f"{self.name} receives  {came}{end}")
        self.note(f"receives  {called}")

    def hears_the_end(self) -> None:
        got, end = self.receive(1)
        if got or end != ", then b'': the end":
            self.note("expects   b'': the end")
            came = "more bytes" if got else "nothing"
            self.subject.fail(f"{self.name} receives  {came}{end}")
        self.note("receives  b'': the end")

    def receive(self, count: int) -> tuple[bytes, str]:
        """Up to `count` bytes, and what kept us from having more."""
        data = bytearray()
        deadline = time.monotonic() + 2 * SOON
        try:
            while len(data) < count:
                if time.monotonic() > deadline:
                    return bytes(data), f", in {2 * SOON} seconds: that is too slow"
                if not (piece := self.sock.recv(count - len(data))):
                    return bytes(data), ", then b'': the end"
                data += piece
        except TimeoutError:
            return bytes(data), f", then nothing for {SOON} seconds" if data else ""
        except OSError as error:
            return bytes(data), f", then an error: {error.strerror}"
        return bytes(data), ""

    def stuffs(self, most: int = 0) -> bytes:
        """Send without reading for as long as the server takes more; return what it took.

        With `most`, no more than that, and no more than makes it owe: it has read all of it.
        """
        until_it_owes, most = bool(most), most or self.subject.much
        data = noise(most)
        sent = in_vain = 0
        deadline = time.monotonic() + LATE * max(1, most / LONG)
        self.sock.settimeout(0.02)
        while sent < most and in_vain < 3 and time.monotonic() < deadline:
            try:
                sent += self.sock.send(data[sent : sent + self.subject.step])
                in_vain = 0
            except TimeoutError:  # the kernel may still be moving what it has
                rests = self.subject.settle(SOON / 10)
                in_vain += 1 if rests or not self.subject.server.can_send else 0.2
            if until_it_owes and self.subject.server.owes(self.sock, sent):
                break
        self.sock.settimeout(SOON)
        self.note("sends as much as it can, and reads nothing")
        return data[:sent]

    def finishes(self) -> None:
        self.note("says that it has finished: shutdown(SHUT_WR)")
        self.sock.shutdown(socket.SHUT_WR)

    def leaves(self) -> None:
        self.note("closes")
        self.sock.close()

    def resets(self) -> None:
        """Leave without a goodbye: close() sends RST instead of FIN (socket(7), SO_LINGER)."""
        self.note("resets the connection")
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def noise(count: int) -> bytes:
    """Bytes of which none can be missing unnoticed."""
    some = os.urandom(min(count, LONG - 1))  # no power of two: a block too few is seen
    return (some * (count // len(some) + 1))[:count]


def short(data: bytes) -> str:
    return repr(data) if len(data) <= 20 else f"{len(data):,} bytes".replace(",", " ")


# -- the bytes ----------------------------------------------------------------------------


@requirement(
    again="""
    client = server.connect()
    for message in [b'hello', b'\\0', b'hello again']:
        client.send(message)
        print(client.recv(100))
    """,
)
def sends_back_what_it_receives(server: Subject) -> None:
    """An echo of every byte, and not only of the first message."""
    client = server.connect()
    for message in [b"hello", b"\0", b"hello again"]:
        client.says(message)
        client.hears(message)


@requirement(
    again="""
    client = server.connect()
    client.shutdown(socket.SHUT_WR)
    client.recv(100)
    """,
)
def closes_when_the_client_has_finished(server: Subject) -> None:
    """End of input, for which recv() returns b"", is answered with end of output, by close()."""
    client = server.connect()
    client.says(b"hello")
    client.hears(b"hello")
    client.finishes()
    client.hears_the_end()


@requirement(
    again="""
    for word in [b'one', b'two']:
        with server.connect() as client:
            client.send(word)
            print(client.recv(100))
    """,
)
def serves_one_client_after_another(server: Subject) -> None:
    """A server is not finished when its first client is."""
    for word in [b"one", b"two", b"three"]:
        client = server.connect()
        client.says(word)
        client.hears(word)
        client.leaves()


@requirement(
    again="""
    client = server.connect()
    client.settimeout(1)
    client.sendall(bytes(250_000))
    count = 0
    try:
        while count < 250_000 and (data := client.recv(100_000)):
            count += len(data)
    finally:
        print(count)
    """,
    small=True,
)
def sends_back_a_message_longer_than_the_buffers(server: Subject) -> None:
    """One recv() is not one message, and neither is one send()."""
    data = noise(server.long)
    client = server.connect()
    with client.saying(data):
        client.hears(data)


# -- many clients ---------------------------------------------------------------------------


@requirement(
    again="""
    silent, client = server.connect(), server.connect()
    client.send(b'hello')
    client.recv(100)
    """,
)
def serves_a_second_client_while_the_first_is_silent(server: Subject) -> None:
    """Asleep for one client, a server must still answer another: the reason for this series."""
    silent = server.connect()
    client = server.connect()
    client.says(b"hello")
    client.hears(b"hello")
    server.settle()  # whoever has been looked at in vain is still a client
    silent.says(b"hello")
    silent.hears(b"hello")


@requirement(
    again="""
    with server.hold():
        clients = [server.connect() for _ in range(200)]
    clients[150].send(b'hello')
    clients[150].recv(100)
    """,
)
def serves_two_hundred_clients_in_any_order(server: Subject) -> None:
    """State belongs to a connection; none of it is shared."""
    crowd = server.server.can_send == 0  # a stranger's queue may have five places
    with server.server.hold() if crowd else contextlib.nullcontext():
        clients = [server.connect() for _ in range(100)]  # who looks finds all of them waiting
    clients += [server.connect() for _ in range(100)]
    server.lines = ["clients 1 to 200 connect, and each sends its own number"]
    for number, client in enumerate(clients):
        client.sock.send(b"%d" % number)
    for number, client in reversed(list(enumerate(clients))):
        client.hears(b"%d" % number)
        del server.lines[1:]  # who was answered is of no interest


# -- the ways in which a client leaves ---------------------------------------------------------


@requirement(
    again="""
    with server.hold():
        client = server.connect()
        client.send(b'hello')
        client.shutdown(socket.SHUT_WR)
    client.recv(100), client.recv(100)
    """,
)
def answers_a_client_that_sends_and_finishes_at_once(server: Subject) -> None:
    """The message and the end of input arrive together, and both count."""
    with server.server.hold():
        client = server.connect()
        client.says(b"hello")
        client.finishes()
    client.hears(b"hello")
    client.hears_the_end()


@requirement(
    again="""
    client = server.connect()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    client.close()
    client = server.connect()
    client.send(b'hello')
    client.recv(100)
    """,
)
def survives_a_client_that_resets(server: Subject) -> None:
    """ECONNRESET is news about one client, not about the server."""
    server.connect().resets()
    server.settle()
    client = server.connect()
    client.says(b"x")
    client.resets()
    server.settle()
    for most in (0, server.enough):  # owed so much that it is not read from any more, and less
        client = server.connect()
        client.stuffs(most)
        server.settle()
        client.resets()
        server.settle()
    sends_back_what_it_receives(server)


@requirement(
    again="""
    client = server.connect()
    client.send(b'!', socket.MSG_OOB)
    client.send(b'hello')
    client.recv(100)
    """,
)
def survives_urgent_data(server: Subject) -> None:
    """A byte sent with MSG_OOB is not in the stream: recv() does not return it (tcp(7))."""
    client = server.connect()
    client.says_urgently(b"!")
    server.settle()
    client.says(b"hello")
    client.hears(b"hello")


@requirement(
    again="""
    for _ in range(20):
        server.connect().close()
    server.descriptors()
    """,
)
def gives_its_descriptors_back(server: Subject) -> None:
    """A leak of one descriptor a client is an outage a thousand clients later."""
    sends_back_what_it_receives(server)
    server.talkers[-1].leaves()
    server.settle()
    before = server.server.descriptors()
    for leave in [Talker.leaves, Talker.resets] * 10:
        client = server.connect()
        client.says(b"x")
        client.hears(b"x")
        leave(client)
    server.lines = ["twenty clients connect, send b'x', receive it and leave"]
    for _ in range(2):
        client = server.connect()
        client.stuffs()
        client.resets()
    server.wait(lambda: server.server.descriptors() <= before)
    leaked = server.server.descriptors() - before
    server.expect(leaked <= 0, f"the server still holds {leaked} descriptors of theirs")


# -- clients that do not read -------------------------------------------------------------------


@requirement(
    again="""
    client = server.connect()
    client.settimeout(1)
    sent = client.send(bytes(10_000_000))
    count = 0
    while count < sent and (data := client.recv(1_000_000)):
        count += len(data)
    print(count, 'of', sent)
    """,
    small=True,
)
def loses_nothing_when_the_client_reads_late(server: Subject) -> None:
    """send() takes what fits and no more; the rest is still owed."""
    client = server.connect()
    data = client.stuffs(server.enough)
    server.settle()  # now it owes what does not fit into the buffers
    client.hears_all(data)
    client.leaves()
    client = server.connect()
    data = noise(server.long)
    with client.saying(data):
        server.settle(SOON / 4)  # its sender waits no longer than SOON
        client.note("begins to read")
        client.hears(data)


@requirement(
    again="""
    client = server.connect()
    sent = client.send(bytes(300_000))
    client.shutdown(socket.SHUT_WR)
    count = 0
    while data := client.recv(1_000_000):
        count += len(data)
    print(count, 'of', sent)
    """,
    small=True,
)
def finishes_its_answer_to_a_half_closed_client(server: Subject) -> None:
    """A client that will send no more may still be listening."""
    client = server.connect()
    data = client.stuffs(server.enough)
    client.finishes()
    server.settle()
    client.hears_all(data)
    client.hears_the_end()


@requirement(
    again="""
    import select
    deaf, client = server.connect(), server.connect()
    count = 0
    while count < 20_000_000 and select.select([], [deaf], [], 1)[1]:
        count += deaf.send(bytes(1_000_000))
    client.send(b'hello')
    client.recv(100)
    """,
    small=True,
)
def serves_a_second_client_while_the_first_does_not_read(server: Subject) -> None:
    """A full send buffer must stop the echo to one client, not to all."""
    deaf = server.connect()
    owed = deaf.stuffs()
    deaf.receive(len(owed) // 2)  # now there is room for some of the rest, but not for all
    deaf.note("reads a half of what it is owed")
    server.settle()
    deaf.stuffs()
    client = server.connect()
    client.says(b"hello")
    client.hears(b"hello")


@requirement(
    again="""
    import select
    client = server.connect()
    count = 0
    while count < 20_000_000 and select.select([], [client], [], 1)[1]:
        count += client.send(bytes(1_000_000))
    print(count)
    """,
    small=True,
)
def stops_reading_from_a_client_that_does_not_read(server: Subject) -> None:
    """Backpressure: otherwise one client can fill our memory."""
    took = server.connect().stuffs()
    server.expect(len(took) < server.much, f"the server takes all of its {short(took)}")


# -- what it costs --------------------------------------------------------------------------


@requirement(
    again="""
    client = server.connect()
    before = server.cpu()
    time.sleep(1)
    server.cpu() - before < 0.1
    """,
)
def sleeps_while_its_clients_are_silent(server: Subject) -> None:
    """Nothing to do: no timeout of 0, and no question whose answer is nearly always yes, such as
    whether there is room to send."""
    client = server.connect()
    client.says(b"x")
    client.hears(b"x")
    data = client.stuffs(server.enough)
    server.settle()  # now its client has to be asked about
    client.hears_all(data)
    server.connect()
    server.connect().says_urgently(b"!")  # recv() does not return it: there it stays
    server.expect_asleep()


@requirement(
    again="""
    client = server.connect()
    client.setblocking(False)
    client.send(bytes(10_000_000))
    before = server.cpu()
    time.sleep(1)
    server.cpu() - before < 0.1
    """,
    small=True,
)
def sleeps_while_a_client_does_not_read(server: Subject) -> None:
    """Unread input keeps a socket readable: do not ask if you do not mean to read."""
    server.connect().stuffs()
    server.expect_asleep()


@requirement(
    again="""
    client = server.connect()
    client.setblocking(False)
    client.send(bytes(300_000))
    client.shutdown(socket.SHUT_WR)
    before = server.cpu()
    time.sleep(1)
    server.cpu() - before < 0.1
    """,
    small=True,
)
def sleeps_while_a_half_closed_client_does_not_read(server: Subject) -> None:
    """So does end of input, for ever: having seen it once, do not ask again."""
    client = server.connect()
    client.stuffs(server.enough)
    client.finishes()
    server.expect_asleep()


@requirement(
    again="""
    client = server.connect()
    for _ in range(5):
        began = time.time()
        client.sendall(bytes(16_384))
        count = 0
        while count < 16_384:
            count += len(client.recv(16_384))
        print(time.time() - began)
    """,
    buffer=None,
)
def does_not_stall_in_the_middle_of_an_answer(server: Subject) -> None:
    """A second small write waits until the first is acknowledged, and the client's kernel is
    in no hurry to do that (Nagle's algorithm, tcp(7)).  What turns it off is
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)."""
    client = server.connect()
    times = []
    for _ in range(21):
        began = time.perf_counter()
        client.says(bytes(BUFFER))
        client.hears(bytes(BUFFER))
        times.append(time.perf_counter() - began)
    server.lines = [f"client 1 sends {short(bytes(BUFFER))} and receives them, 21 times"]
    server.expect(statistics.median(times) < 0.02, "each time there is a pause in between")


@requirement(
    again="""
    # no three lines show this: it takes a client who always has more to say
    """,
)
def serves_a_quiet_client_beside_a_flood(server: Subject) -> None:
    """Who reads until nothing is left never gets to the others while one client has more."""
    quiet = server.connect()
    server.settle()
    with server.server.flood() as flood:
        loud = server.connect()
        loud.note("sends without a pause, and reads as fast")
        loud.sock.send(b"x")
        server.wait(lambda: flood.reads or any(unread([loud.sock])))
        quiet.says(b"hello")
        quiet.hears(b"hello")


@requirement(
    again="""
    # no three lines show this: it takes a client who always has more to say
    """,
)
def answers_a_client_that_goes_on_sending(server: Subject) -> None:
    """Who writes only when there is nothing to read answers nobody who always has more."""
    with server.server.flood() as flood:
        loud = server.connect()
        loud.note("sends without a pause, and reads as fast")
        loud.sock.send(b"x")
        server.wait(lambda: flood.reads > 100 or any(unread([loud.sock])))
        answered = flood.most_unanswered < 100
        server.expect(answered, "its messages are received, a hundred in a row, and not answered")


# -- limits ---------------------------------------------------------------------------------


@requirement(
    again="""
    client = server.connect()
    server.run_out_of_descriptors()
    late = server.connect()
    client.send(b'hello')
    client.recv(100)
    """,
)
def goes_on_when_descriptors_run_out(server: Subject) -> None:
    """accept() fails with EMFILE: serve those who are there, and others when some have left."""
    clients = [server.connect(), server.connect()]
    for client in clients:
        client.says(b"hello")
        client.hears(b"hello")
    server.run_out_of_descriptors()
    server.connect()
    server.wait(server.refused)
    server.settle()
    for client in clients:
        client.says(b"still here")
        client.hears(b"still here")
    for client in clients:  # one place for who is waiting, one for the next
        client.finishes()  # and stays open: the bench knows our descriptors by their numbers
        client.hears_the_end()
    server.server.make_room()
    server.settle()
    client = server.connect()
    client.says(b"is there room now?")
    client.hears(b"is there room now?")


@requirement(
    again="""
    client = server.connect()
    server.run_out_of_descriptors()
    late = server.connect()
    before = server.cpu()
    time.sleep(1)
    server.cpu() - before < 0.1
    """,
)
def sleeps_when_descriptors_have_run_out(server: Subject) -> None:
    """Who cannot be accepted stays in the queue, and keeps the listener readable."""
    client = server.connect()
    client.says(b"hello")
    client.hears(b"hello")
    server.run_out_of_descriptors()
    server.connect()
    server.wait(server.refused)
    server.expect_asleep()


@requirement(
    again="""
    from echo.lab.background import more_descriptors
    client = server.connect()
    with more_descriptors(), server.number_descriptors_from(1024):
        high = server.connect()
    client.send(b'hello')
    client.recv(100)
    """,
)
def survives_a_descriptor_above_1023(server: Subject) -> None:
    """select() cannot express it: close that client, or serve it, but serve the others."""
    before = server.connect()
    before.says(b"before")
    before.hears(b"before")
    with more_descriptors(), server.server.number_descriptors_from(1024):
        high = server.connect()
        server.settle()
        server.lines.append("(the server's end of client 2 is a descriptor above 1023)")
        with contextlib.suppress(OSError):
            high.sock.send(b"high")
        if high.receive(4) not in [(b"high", ""), (b"", ", then b'': the end"),
                                   (b"", ", then an error: Connection reset by peer")]:  # fmt: skip
            server.fail("client 2 is neither answered nor closed")
        high.leaves()
        server.settle()
    before.says(b"after")
    before.hears(b"after")
    after = server.connect()
    after.says(b"after")
    after.hears(b"after")


# -- the verdict ----------------------------------------------------------------------------


def examine(serve: Callable, requirement: Callable) -> None:
    """Put one requirement to a fresh server; raises Failed with the conversation."""
    put(requirement, start(serve, buffer=requirement.buffer))  # type: ignore[attr-defined]


def put(requirement: Callable, server: Server | Process) -> None:
    """Put one requirement to a server that has just begun, and end it; raises Failed."""
    subject = Subject(server)
    try:
        if server.crash is not None:
            raise Failed(server.crash)
        try:
            requirement(subject)
        except OSError as error:
            subject.fail(f"then an error: {error.strerror or error}")
        subject.close()
        subject.settle()
        subject.lines.append("the clients leave")
        if server.crash is not None or not server.end():
            subject.fail()
    except BaseException as error:
        subject.close()
        if not server.end() and isinstance(error, Failed):
            raise Failed(f"{error}\n{DEAF}") from None
        raise


def failing(serve: Callable, asked: Iterable[Callable]) -> tuple[Callable, Failed] | None:
    """The first of these requirements that a server does not meet, and how."""
    for one in asked:
        try:
            examine(serve, one)
        except Failed as failure:
            return one, failure
    return None


def check(serve: Callable, until: str | Callable | None = None) -> None:
    """Put the suite to a server, from easy to hard, and stop at the first failure.

    `until`: the last requirement to ask, by name.  Prints a line for each requirement met,
    and for one that is not the conversation that shows it.  Takes 10 seconds at the most.
    """
    try:
        asked = requirements(until)
    except ValueError as error:
        print(error)
        return
    if serve is ...:
        print("Not attempted yet: replace the ... by the serve of a server.")
        return
    try:
        checked(serve)
    except TypeError as error:  # a module, say: to be told, not to be traced
        print(str(error).replace("start()", "check()"))
        return
    if is_stub(serve):
        print(f"Not attempted yet: replace the ... in {serve.__name__}().")
        return
    for one in asked:
        try:
            examine(serve, one)
        except Failed as failure:
            name = getattr(serve, "__name__", "serve")
            again = one.again.format(name)
            if RETURNED in str(failure):  # mostly when a client has left
                again += "\nclient.close()" * ("client = " in again) + "\nwhere_is(server)"
            print(f"FAIL  {report(one, failure)}\n\n      To see it again:\n")
            print(textwrap.indent(again, " " * 10))
            print("\n      and in the next cell, what the server did:\n\n          print(tape)")
            print(f"\n{asked.index(one)} of {len(asked)} requirements met so far.")
            return
        print(f"pass  {title(one)}")
    print(f"\n{len(asked)} of {len(asked)} requirements met.")


def title(requirement: Callable) -> str:
    return requirement.__name__.replace("_", " ")


def requirements(until: str | Callable | None = None) -> list[Callable]:
    """The suite, from easy to hard; `until`: up to this one, by its name."""
    names = [title(one) for one in REQUIREMENTS]
    name = str(getattr(until, "__name__", until or names[-1])).replace("_", " ")
    if name not in names:
        raise ValueError(f"{until!r} is no requirement; they are: {', '.join(names)}")
    return REQUIREMENTS[: names.index(name) + 1]


def report(requirement: Callable, failure: Failed) -> str:
    """What was required, why, and the conversation that shows that it does not hold."""
    return textwrap.indent(
        f"{title(requirement)}\n{inspect.getdoc(requirement)}\n\n{failure}", " " * 6
    ).lstrip()


def is_stub(serve: Any) -> bool:
    """Whether a function still contains a statement that is nothing but `...`."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(serve)))
    except (OSError, TypeError, SyntaxError):  # no source, or one that does not stand alone
        return False
    return any(
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and node.value.value is ...
        for node in ast.walk(tree)
    )


if __name__ == "__main__":
    from echo.lab import judge

    sys.exit(judge.main())
