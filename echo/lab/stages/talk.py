"""A conversation with a server under judgment, and the clients that hold it.

A stage takes a Conversation: it lets clients join, speak and listen, and raises Failed as soon
as a client gets something else than the stage expects.  The message of Failed is the end of
the conversation, and where the server sleeps.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from echo.lab.conformance.subject import BUFFER, Subject, Talker
from echo.lab.kernel.sockets import other_end, unread
from echo.lab.run.server import Server

PROMPTLY = 2.0  # seconds by which anything that works has happened
MOMENT = 0.1  # seconds between two looks at a server that says nothing
SHOWN = 14  # lines of a conversation that a failure shows


Judge = Callable[["Conversation"], None]


class Stage(NamedTuple):
    """One requirement: its place in the series, and the function that judges it."""

    number: int
    name: str  # the function's name, as words
    requirement: str  # its docstring: one sentence
    judge: Judge
    buffer: int | None  # bytes of the kernel's buffers, on both sides; None: the default


class Stages(list[Stage]):
    """The stages of a series; a decorator adds one."""

    def __call__(self, buffer: int | None = None) -> Callable[[Judge], Judge]:
        def add(function: Judge) -> Judge:
            name = function.__name__.replace("_", " ")
            sentence = " ".join((function.__doc__ or "").split())
            self.append(Stage(len(self) + 1, name, sentence, function, buffer))
            return function

        return add


FEW_BYTES = BUFFER  # for stages in which a client does not read


class Conversation(Subject):
    """A running server, and what was said to it and by it so far."""

    patience = PROMPTLY  # seconds that a client waits for a server that is busy

    def connect(self) -> "Speaker":
        """A client; it is called "client 1", "client 2" until it has a name."""
        if len(self.talkers) % 4 == 3:  # the shortest queue that programs ask for has five places
            self.server.catch_up()
        speaker = Speaker(self, f"client {len(self.talkers) + 1}")
        self.talkers.append(speaker)
        return speaker

    @contextlib.contextmanager
    def busy_with_a_new_client(self) -> Iterator[None]:
        """Inside the block it is busy with another client; the rest it sees afterwards, at once."""
        server = self.server
        with server.hold():
            self.connect()
            if isinstance(server, Server):  # a process is stopped wherever it is
                self.wait(lambda: server.gate.reached)
            yield

    def at_rest(self) -> bool:
        """Whether the server sleeps, with nothing to do, and has done so for a moment."""
        before = self.server.cpu()
        rests = self.settle(MOMENT)
        time.sleep(MOMENT)
        return rests and self.server.cpu() - before < 0.001

    def fail(self, *lines: str) -> None:
        if len(self.lines) > SHOWN:
            self.lines = ["...", *self.lines[-SHOWN:]]
        super().fail(*lines)


class Speaker(Talker):
    """A client that speaks in lines, or in bytes, and remembers what it got."""

    subject: Conversation

    def __init__(self, subject: Conversation, name: str) -> None:
        self.rest = b""  # received, and not yet looked at
        super().__init__(subject, name)

    def note(self, what: str) -> None:
        self.subject.lines.append(f"{self.name:9} {what}")

    def says_quietly(self, data: bytes) -> None:
        """Without a line in the conversation; a server that hangs up meanwhile is no error."""
        with contextlib.suppress(OSError):
            self.sock.sendall(data)

    def says_meanwhile(self, data: bytes) -> threading.Thread:
        """In a thread of its own: a server may make its speakers wait until others read."""
        thread = threading.Thread(target=self.says_quietly, args=(data,), daemon=True)
        thread.start()
        return thread

    def more(self) -> str:
        """Wait for bytes.  "" if some came, else what came instead of them."""
        deadline = time.monotonic() + self.subject.patience
        self.sock.settimeout(MOMENT)
        try:
            while True:
                try:
                    data = self.sock.recv(65536)
                except TimeoutError:
                    late = time.monotonic() > deadline
                    if (late or self.subject.at_rest()) and not any(unread([self.sock])):
                        return "nothing"
                    continue
                except OSError as error:
                    return f"an error: {error.strerror}"
                self.rest += data
                return "" if data else "the end of the connection"
        finally:
            self.sock.settimeout(PROMPTLY)

    def line(self) -> tuple[str, str]:
        """The next line without its end; or "", and what came instead of it."""
        while b"\n" not in self.rest:
            if came := self.more():
                begun = f", after {abridged(self.rest)} without an end" if self.rest else ""
                return "", came + begun
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode(errors="replace"), ""

    def gets(self, line: str) -> None:
        """The next line is this one."""
        self.gets_one(lambda got: got == line, abridged(line))

    def gets_one(self, right: Callable[[str], bool], called: str) -> str:
        """The next line, if it is right; `called` says in a failure what was expected."""
        got, instead = self.line()
        if instead or not right(got):
            self.expected(called, instead or abridged(got))
        self.note(f"gets      {abridged(got)}")
        return got

    def gets_bytes(self, data: bytes, called: str = "") -> None:
        """The next bytes are these, in as many pieces as they come."""
        called = called or abridged(data)
        got, instead = bytearray(self.rest[: len(data)]), ""
        self.rest = self.rest[len(data) :]
        while len(got) < len(data) and data.startswith(got) and not instead:
            instead = self.more()
            taken = self.rest[: len(data) - len(got)]
            self.rest = self.rest[len(taken) :]
            got += taken
        if got == data:
            self.note(f"gets      {called}")
            return
        if data.startswith(got):
            self.expected(called, f"{abridged(bytes(got))}, then {instead}" if got else instead)
        right = next(i for i, (a, b) in enumerate(zip(got, data, strict=False)) if a != b)
        so_far = f"{right:,} of these bytes, then " if right > 100 else ""
        self.expected(called, so_far + abridged(bytes(got if right <= 100 else got[right:])))

    def gets_the_end(self) -> None:
        """Whatever comes first, then the connection ends."""
        instead = ""
        while not instead:
            self.rest = b""
            instead = self.more()
        if instead == "nothing":
            self.expected("the end of the connection", instead)
        self.note("gets      the end of the connection")

    def expected(self, called: str, came: str) -> None:
        self.note(f"expects   {called}")
        self.subject.fail(f"{self.name:9} gets      {came}")

    def waiting_in_kernel(self) -> int:
        """Bytes on their way to this client that have left the server and that it has not read.

        Sent by the server's end and not confirmed by this one, or here and unread.
        """
        theirs = other_end(self.sock, self.subject.server.address[1])
        return (theirs[0] if theirs else 0) + unread([self.sock])[0]


def abridged(text: str | bytes) -> str:
    """As Python writes it; if it is long, its beginning and its length."""
    if len(text) <= 60:
        return repr(text)
    kind = "bytes" if isinstance(text, bytes) else "characters"
    return f"{text[:24]!r}... ({len(text):,} {kind})"
