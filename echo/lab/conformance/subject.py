"""What the suite judges, and the conversations it has with it."""

import contextlib
import os
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

from echo.lab.kernel.processes import ThreadState
from echo.lab.kernel.sockets import ends_here, on_the_way
from echo.lab.run.at_rest import at_rest
from echo.lab.run.clients import reset
from echo.lab.run.faults import Flood, more_descriptors, renumbered
from echo.lab.run.process import ACKNOWLEDGED, AT_ONCE, NotAsked
from echo.lab.run.server import Server
from echo.lab.run.shortage import settle_descriptors

SOON = 2  # seconds by which anything that works has happened
REACTED = 2  # seconds by which it has reacted, if it comes to rest at all
STARVED = 10  # seconds after which who gets no processor has to be judged nevertheless
DELAYED = 24  # times as long for a process, which others may keep from running
LATE = 5  # seconds after which we go on without what normally comes at once
BUFFER = 16 * 1024  # what we ask the kernel to hold in each direction, in bytes
LONG = 4 * 1024 * 1024  # more than these and any sensible server hold for one client


IN_A_SET = 1024  # select() can express descriptors below it
ABOVE = 2048  # clients of ours get descriptors from here on: the low ones are for the server
SIPS = 20  # times that a client reads a little, and the server owes no more than before
OTHERS_NEED = 32  # descriptors that are left for everything else


class Failed(AssertionError):
    """The server does not meet a requirement; the message is the conversation."""


class NoEcho(Failed):
    """It does something else than an echo, and the message says what: all else follows from it."""


class Judged(Protocol):
    """What the suite needs of a server: one in a thread of ours, or one in processes of its own."""

    buffer: int | None  # bytes of the kernel's buffers that were asked for
    can_send: int  # what the kernel holds beyond small buffers, in bytes; 0 for one of ours
    can_receive: int
    address: tuple[str, int]
    full: Any

    @property
    def arrived(self) -> int | None: ...  # clients accepted so far; None: it cannot be seen
    @property
    def crash(self) -> str | None: ...
    @property
    def ended(self) -> bool: ...
    def settle(self, patience: float = ...) -> None: ...
    def where_is(self) -> str: ...
    def cpu(self) -> float: ...
    def times_slept(self) -> int: ...
    def look(self) -> dict[int, ThreadState]: ...
    def memory(self) -> int | None: ...
    def allow(self, clients: int) -> None: ...
    def complains(self) -> str | None: ...
    def descriptors(self) -> int: ...
    def catch_up(self) -> None: ...
    def owes(self, client: socket.socket, sent: int) -> bool: ...
    def kernel_holds(self, client: socket.socket) -> int | None: ...
    def hold(self) -> AbstractContextManager[None]: ...
    def flood(self) -> AbstractContextManager[Flood]: ...
    def number_descriptors_from(self, lowest: int) -> AbstractContextManager[None]: ...
    def run_out_of_descriptors(self, but_for: Iterable[int] = ...) -> None: ...
    def make_room(self) -> None: ...
    def refused(self) -> bool: ...
    def end(self) -> bool: ...


class Subject:
    """A running server as a requirement sees it, and the conversation with it so far."""

    def __init__(self, server: Judged) -> None:
        self.server = server
        self.foreign = server.can_send > 0  # a process, whose buffers and queue are its own
        self.hold, self.flood = server.hold, server.flood
        self.descriptors, self.make_room = server.descriptors, server.make_room
        self.number_descriptors_from = server.number_descriptors_from
        self.step = 8 * BUFFER if server.can_send else BUFFER  # what a client sends at once
        self.enough = server.can_send + 8 * BUFFER  # the server owes some of it until we read
        self.long = server.can_send + LONG
        self.much = self.long + server.can_receive  # no sensible server takes it all
        self.lines: list[str] = []
        self.lowest = 0  # clients get descriptors from this number on
        self.not_owing = ""  # why what has been met so far says little
        self.talkers: list[Talker] = []

    def connect(self) -> "Talker":
        if len(self.talkers) % AT_ONCE == AT_ONCE - 1:  # as many as the shortest queue takes
            self.server.catch_up()
        self.talkers.append(talker := Talker(self, f"client {len(self.talkers) + 1}"))
        return talker

    def knocks(self) -> None:
        """A client comes that may be turned away, even before its connect() has returned."""
        told = len(self.lines)
        try:
            self.connect()
        except Failed:
            self.lines[told:] = ["another client comes, and is turned away"]

    def settle(self, patience: float = 0) -> bool:
        """Wait until it has reacted; if it will not come to rest, something else tells."""
        try:
            self.server.settle(patience or REACTED)
        except TimeoutError:
            return False
        return True

    def settle_quickly(self) -> None:
        """The same for a fraction of the time: somebody else is waiting meanwhile."""
        self.settle(REACTED / 4)

    def let_pass(self, seconds: float) -> None:
        """Nothing happens for so long."""
        deadline = time.monotonic() + seconds
        while not self.server.ended and time.monotonic() < deadline:
            time.sleep(0.01)

    @contextlib.contextmanager
    def room_for(self, clients: int) -> Iterator[None]:
        """Inside the block so many may connect, as far as descriptors are concerned.

        Ours get high numbers if there are any: select() needs the low ones.  Raises NotAsked.
        """
        with more_descriptors(ABOVE + clients + OTHERS_NEED):
            limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            high = limit >= ABOVE + clients + OTHERS_NEED
            below = min(limit, IN_A_SET)
            used = sum(int(fd) < below for fd in os.listdir("/proc/self/fd"))
            ends = (not self.foreign) + (not high)  # of each connection, that need a low one
            if used + ends * clients + OTHERS_NEED > below:
                raise NotAsked(f"too few open files are allowed here for {clients} clients")
            self.server.allow(clients)
            self.lowest = ABOVE * high
            try:
                yield
            finally:
                self.lowest = 0

    def receives_more_than_it_sends(self) -> None:
        """From now on the kernel takes in much for it at once, and little from it."""
        if isinstance(self.server, Server):  # accepted sockets inherit it
            self.server.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)

    def wait(self, condition: Callable[[], object]) -> None:
        """Until it holds, the server has ended, or it is too late; opens no file."""
        deadline = time.monotonic() + LATE
        while not condition() and not self.server.ended and time.monotonic() < deadline:
            time.sleep(0.001)

    def run_out_of_descriptors(self) -> None:
        """Of the descriptors that are open now, closing one of the server's helps."""
        settle_descriptors()  # those of servers that have ended would help as well
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
        if complaint := self.server.complains():
            yield f"it has said on stderr: {complaint}"
        if self.server.arrived == 0 and not ends_here(self.server.address[1]):
            yield "it has not accepted anybody"
            if isinstance(self.server, Server) and "accept4" in self.server.where_is():
                yield "it waits at a listener of its own: serve() is given one to accept from"

    def doing(self) -> str:
        """While nothing happens: "" if the server sleeps, else what it does instead."""
        self.settle()
        return at_rest(self.server, STARVED)

    def expect_asleep(self) -> None:
        """Nothing happens, so it uses no processor time; ours and that of others not counted."""
        doing = self.doing()
        self.expect(not doing, f"nothing happens, and yet the server {doing} all the time")

    def expect_owing(self, client: "Talker") -> None:
        """What is asked of who owes something is not asked of who does not.

        Until an acknowledgment comes, which may be late, the kernel holds the same bytes twice.
        """
        for _ in range(5):
            if self.server.owes(client.sock, client.sent) or self.server.ended:
                return
            time.sleep(ACKNOWLEDGED)
        self.not_owing = (
            f"{client.name} sent {client.sent:,} bytes and read nothing, and "
            "the server never held any of it that the kernel would not take back"
        )

    def close(self) -> None:
        self.server.full = None  # when the clients leave, there are descriptors again
        for talker in self.talkers:
            talker.sock.close()


class Talker:
    """A client that writes down what it says and hears."""

    def __init__(self, subject: Subject, name: str) -> None:
        self.subject, self.name = subject, name
        self.sent = 0  # bytes that stuffs() has sent, none of which has been read
        self.sock = socket.socket()
        if subject.lowest:
            self.sock = renumbered(self.sock, subject.lowest)
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

    def hears(self, data: bytes, called: str = "", late: int = 0) -> None:
        """Exactly these bytes, in as many pieces as they come.

        `late`: before it reads the last so many, it waits until the server has come to rest.
        """
        called = called or short(data)
        got, end = self.receive(len(data) - late)
        if late and not end:
            self.subject.settle_quickly()  # its sender does not wait for long
            rest, end = self.receive(late, already=len(got))
            got += rest
        if got != data:
            came = short(got) if got else "nothing"
            if len(data) > 20 and got:  # how much it is differs from run to run
                came = "a part of it" if len(got) < len(data) else "as many, but not those"
            self.note(f"expects   {called}")
            self.subject.fail(f"{self.name} receives  {came}{end}")
        self.note(f"receives  {called}")

    def is_answered(self, data: bytes) -> bool:
        """Whether these come back; if not, that is for another requirement to say."""
        self.note(f"sends     {short(data)}")
        with contextlib.suppress(OSError):
            self.sock.sendall(data)
            return self.receive(len(data))[0] == data
        return False

    def hears_the_end(self) -> None:
        got, end = self.receive(1)
        if got or end != ", then b'': the end":
            self.note("expects   b'': the end")
            came = "more bytes" if got else "nothing"
            self.subject.fail(f"{self.name} receives  {came}{end}")
        self.note("receives  b'': the end")

    def receive(self, count: int, already: int = 0) -> tuple[bytes, str]:
        """Up to `count` bytes, and what kept us from having more; `already` came before them."""
        data = bytearray()
        deadline = time.monotonic() + 2 * SOON
        given_up = time.monotonic() + 2 * STARVED
        try:
            while len(data) < count:
                if time.monotonic() > deadline:
                    return bytes(data), f", in {2 * SOON} seconds: that is too slow"
                try:
                    piece = self.sock.recv(count - len(data))
                except TimeoutError:  # nor is the server to blame for what TCP has not delivered
                    if not self.on_the_way() or time.monotonic() > given_up:
                        raise
                    deadline = time.monotonic() + 2 * SOON
                    continue
                if not piece:
                    return bytes(data), ", then b'': the end"
                data += piece
        except TimeoutError:
            return bytes(data), f", then nothing for {SOON} seconds" if data or already else ""
        except OSError as error:
            return bytes(data), f", then an error: {error.strerror}"
        return bytes(data), ""

    def on_the_way(self) -> bool:
        return on_the_way(self.sock, self.subject.server.address[1])

    def stuffs(self, most: int = 0) -> bytes:
        """Send without reading for as long as the server takes more; return what it took.

        With `most`, no more than that, and no more than makes it owe: it has read all of it,
        unless it never owes much, as one that waits in send() with a small buffer.
        """
        until_it_owes, most = bool(most), most or self.subject.much
        self.note("sends as much as it can, and reads nothing")
        data = noise(most)
        sent, in_vain = 0, 0.0
        patience = LATE * (DELAYED if self.subject.foreign else 4)  # for who goes on taking
        deadline = time.monotonic() + patience * max(1, most / LONG)
        self.sock.settimeout(0.02)
        while sent < most and in_vain < 3 and time.monotonic() < deadline:
            try:
                sent += self.sock.send(data[sent : sent + self.subject.step])
                in_vain = 0
            except TimeoutError:  # the kernel may still be moving what it has
                rests = self.subject.settle(SOON / 10)
                in_vain += 1 if rests or not self.subject.foreign else 0.2
            except OSError as error:
                self.subject.fail(f"{self.name} cannot send: {error.strerror or error}")
            if until_it_owes and self.subject.foreign and self.subject.server.owes(self.sock, sent):
                held = self.subject.server.kernel_holds(self.sock) or 0
                if sent - held >= 4 * BUFFER:
                    break
                until_it_owes = False  # a FIN opens the window a little, and so little were paid
        self.sock.settimeout(SOON)
        self.sent = sent
        return data[:sent]

    def reads_slowly(self) -> int:
        """Send whenever there is room, and read little; return how much the server itself, not
        the kernel, has held at the most.

        Until that has long not become more, or is more than any sensible server takes.
        """
        self.note("sends whenever there is room, and reads little by little")
        data = noise(1 << 20)
        most = before = open_ = since = 0
        self.sock.setblocking(False)
        try:
            while since < SIPS and most < LONG and not self.subject.server.ended:
                with contextlib.suppress(BlockingIOError):
                    open_ += self.sock.send(data)
                with contextlib.suppress(BlockingIOError):
                    open_ -= len(self.sock.recv(BUFFER // 2))
                self.subject.settle(0.02)
                held = self.subject.server.kernel_holds(self.sock)
                now = 0 if held is None else open_ - held
                steady, before = min(now, before), now  # what is on its way is in neither
                since, most = (0, steady) if steady > most + BUFFER * 4 else (since + 1, most)
        except OSError as error:
            self.subject.fail(f"{self.name} cannot go on: {error.strerror or error}")
        self.sock.settimeout(SOON)
        return most

    def finishes(self) -> None:
        self.note("says that it has finished: shutdown(SHUT_WR)")
        self.sock.shutdown(socket.SHUT_WR)

    def leaves(self) -> None:
        self.note("closes")
        self.sock.close()

    def resets(self) -> None:
        """Leave without a goodbye: close() sends RST instead of FIN (socket(7), SO_LINGER)."""
        self.note("resets the connection")
        reset(self.sock)


BLANKS = bytes.maketrans(bytes(range(128, 192)), b" \t\r\n" * 16)


def noise(count: int) -> bytes:
    """Bytes of which none can be missing unnoticed; a quarter are blanks, to catch strip()."""
    some = os.urandom(min(count, LONG - 1))  # no power of two: a block too few is seen
    some = some.translate(BLANKS)
    return (some * (count // len(some) + 1))[:count]


def short(data: bytes) -> str:
    return repr(data) if len(data) <= 20 else f"{len(data):,} bytes"
