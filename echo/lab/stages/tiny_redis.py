"""A tiny Redis, in eleven stages: nine over sockets, and two by Redis's own programs.

The protocol is RESP (https://redis.io/docs/latest/develop/reference/protocol-spec/): a command
is a list of words, each with its length in bytes.  The real redis-server meets all stages.

The faults are those of public servers: pyais#113, hiredis#85 and whodb#972 (one recv() is one
command), pikiwidb#645 and redis#6148 (what redis-benchmark asks first), Redis-On-Rocks#357
(an answer that does not fit).
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator

from echo.lab.run.process import NotAsked
from echo.lab.stages.talk import FEW_BYTES, Conversation, Speaker, Stages, abridged

REDIS_STAGES = Stages()
LARGE = b"x" * 1_000_000
COPIES = 16
MOST_KEPT = 8_000_000  # bytes for a client that is owed COPIES of LARGE
LIFETIME = 0.15  # seconds that a key is to live
LONGEST = 60  # seconds that redis-benchmark may take
QUIET = 10  # so often in a row a server is found asleep that will send nothing any more
REQUESTS = 20_000  # of each kind
BENCHMARK = ["-c", "50", "-P", "16", "-n", str(REQUESTS), "-q"]
KINDS = 4  # of commands that it tries: typed PING, PING, SET, GET
BENCHMARKED = KINDS * REQUESTS  # requests


def command(*words: bytes) -> bytes:
    """A command as redis-cli sends it."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


def bulk(word: bytes) -> bytes:
    """A word as a server answers it."""
    return b"$%d\r\n%s\r\n" % (len(word), word)


def send(client: Speaker, *words: bytes) -> None:
    """A command; in the conversation it stands as a person would type it."""
    client.note("sends     " + " ".join(map(typed, words)))
    try:
        client.sock.sendall(command(*words))
    except OSError as error:
        client.subject.fail(f"{client.name} cannot send: {error.strerror or error}")


def typed(word: bytes) -> str:
    text = word.decode("ascii", errors="replace")
    return (
        text if text.isascii() and text.isprintable() and text.split() == [text] else abridged(word)
    )


def asks(client: Speaker, words: list[bytes], answer: bytes) -> None:
    send(client, *words)
    client.gets_bytes(answer)


@REDIS_STAGES()
def answers_ping(redis: Conversation) -> None:
    """The command PING is answered with `+PONG`, each time, also when a person types `PING` and a
    newline instead of a list of words."""
    client = redis.connect()
    asks(client, [b"PING"], b"+PONG\r\n")
    asks(client, [b"PING"], b"+PONG\r\n")
    client.says(b"PING\r\n")
    client.gets_bytes(b"+PONG\r\n")


@REDIS_STAGES()
def answers_every_command_of_a_piece(redis: Conversation) -> None:
    """Commands that come in one piece are all answered, in their order: that is pipelining."""
    client = redis.connect()
    client.note("sends     ECHO one, PING and ECHO two, in one piece")
    client.says_quietly(command(b"ECHO", b"one") + command(b"PING") + command(b"ECHO", b"two"))
    client.gets_bytes(b"$3\r\none\r\n+PONG\r\n$3\r\ntwo\r\n")


@REDIS_STAGES()
def puts_pieces_together(redis: Conversation) -> None:
    """A command may be cut anywhere: in a number, in a word, between `\\r` and `\\n`."""
    client = redis.connect()
    whole = command(b"ECHO", b"hello world!")
    client.note("sends     ECHO 'hello world!', a byte at a time")
    for byte in whole:
        client.sock.sendall(bytes([byte]))
        redis.settle()
    client.gets_bytes(bulk(b"hello world!"))


@REDIS_STAGES()
def counts_bytes(redis: Conversation) -> None:
    """A word is as many bytes as its length says: none, or bytes that are no text, or `\\r\\n`."""
    client = redis.connect()
    for word in (b"a\r\nb", b"", bytes(range(256)), b"*1\r\n$4\r\nPING\r\n"):
        asks(client, [b"ECHO", word], bulk(word))


@REDIS_STAGES()
def remembers(redis: Conversation) -> None:
    """What one client SETs another GETs; a key that was never set is `$-1`, an empty value `$0`;
    commands may be in small letters."""
    one, other = redis.connect(), redis.connect()
    asks(one, [b"SET", b"k", b"v"], b"+OK\r\n")
    asks(other, [b"GET", b"k"], b"$1\r\nv\r\n")
    asks(other, [b"GET", b"never set"], b"$-1\r\n")
    asks(one, [b"SET", b"k", b""], b"+OK\r\n")
    asks(other, [b"get", b"k"], b"$0\r\n\r\n")


@REDIS_STAGES()
def goes_on_after_an_error(redis: Conversation) -> None:
    """A command that is unknown, or has a wrong number of words or no number of milliseconds, is
    answered by a line of `-ERR`, a space and a reason, and the next command as usual; a client that
    sends what is no command at all, such as `*many`, is dropped, and no other."""
    client = redis.connect()
    for words in ([b"FLY"], [b"GET"], [b"SET", b"k"], [b"SET", b"k", b"v", b"PX", b"soon"]):
        send(client, *words)
        client.gets_one(
            lambda line: line.startswith("-ERR ") and line[-1] == "\r",
            "'-ERR ', a reason and '\\r\\n'",
        )
        asks(client, [b"PING"], b"+PONG\r\n")
    lost = redis.connect()
    lost.says(b"*many\r\n")
    lost.gets_the_end()
    asks(client, [b"PING"], b"+PONG\r\n")


@REDIS_STAGES()
def forgets_in_time(redis: Conversation) -> None:
    """`SET k v PX 150` lasts 150 milliseconds; a later SET without PX lasts; and while nothing
    happens the server sleeps."""
    client = redis.connect()
    asks(client, [b"SET", b"kept", b"v", b"PX", b"150"], b"+OK\r\n")
    asks(client, [b"SET", b"kept", b"w"], b"+OK\r\n")
    began = time.monotonic()
    asks(client, [b"SET", b"k", b"v", b"PX", b"150"], b"+OK\r\n")
    asks(client, [b"SET", b"k2", b"v", b"px", b"60000"], b"+OK\r\n")
    send(client, b"GET", b"k")
    early = client.line()[0]
    if time.monotonic() - began < LIFETIME and early != "$1\r":
        client.expected("b'$1\\r\\nv\\r\\n', at once", repr(early))
    if early == "$1\r":
        client.gets_bytes(b"v\r\n", "the value, at once")
    redis.lines.append("(150 milliseconds pass)")
    redis.expect_asleep()
    time.sleep(max(0.0, LIFETIME + 0.05 - (time.monotonic() - began)))
    asks(client, [b"GET", b"k"], b"$-1\r\n")
    asks(client, [b"GET", b"kept"], b"$1\r\nw\r\n")
    asks(client, [b"GET", b"k2"], b"$1\r\nv\r\n")


@REDIS_STAGES(buffer=FEW_BYTES)
def answers_more_than_it_keeps(redis: Conversation) -> None:
    """Sixteen commands come in one piece, each with an answer of a megabyte: all are answered, in
    whatever portions, although no event tells of a command that has already been read."""
    client = redis.connect()
    large(client)
    client.note(f"sends     GET k {COPIES} times, in one piece")
    client.says_quietly(command(b"GET", b"k") * COPIES)
    client.gets_bytes(bulk(LARGE) * COPIES, "16 answers of a megabyte")


@REDIS_STAGES(buffer=FEW_BYTES)
def serves_others_meanwhile(redis: Conversation) -> None:
    """A client asks for 16 megabytes and does not read: others are served, the server does not keep
    them all (this is asked of a function only), and later the client gets all of it; after that
    the server sleeps."""
    one, slow = redis.connect(), redis.connect()
    large(one)
    slow.note(f"sends     GET k {COPIES} times, and does not read")
    with traced(redis) as kept:
        slow.says_quietly(command(b"GET", b"k") * COPIES)
        redis.settle()
        asks(one, [b"PING"], b"+PONG\r\n")
        redis.settle()
        much = kept() > MOST_KEPT
    redis.expect(not much, f"{slow.name} has read nothing, and the server keeps it all in memory")
    slow.note("reads")
    slow.gets_bytes(bulk(LARGE) * COPIES, "16 answers of a megabyte")
    asks(one, [b"PING"], b"+PONG\r\n")
    redis.expect_asleep()


@contextlib.contextmanager
def traced(redis: Conversation) -> Iterator[Callable[[], int]]:
    """Inside the block: a function that tells how many bytes more a server keeps than before.

    As Python counts its objects (tracemalloc).  Of a process it is 0: redis-server itself keeps
    all that a client is owed, and what others have in memory says little about what they keep.
    """
    if redis.foreign:
        yield lambda: 0
        return
    ours = not tracemalloc.is_tracing()
    if ours:
        tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    try:
        yield lambda: tracemalloc.get_traced_memory()[0] - before
    finally:
        if ours:
            tracemalloc.stop()


def large(client: Speaker) -> None:
    """A key with a value of a megabyte."""
    client.note("sends     SET k and a megabyte")
    client.says_quietly(command(b"SET", b"k", LARGE))
    client.gets_bytes(b"+OK\r\n")


@REDIS_STAGES()
def redis_cli_understands(redis: Conversation) -> None:
    """The real redis-cli prints what it prints of Redis."""
    for words, right in [
        (["PING"], "PONG"),
        (["SET", "greeting", "h\N{LATIN SMALL LETTER E WITH ACUTE}llo world"], "OK"),
        (["GET", "greeting"], "h\N{LATIN SMALL LETTER E WITH ACUTE}llo world"),
        (["GET", "never set"], ""),
        (["FLY"], "ERR ..."),
    ]:
        redis.lines.append(f"redis-cli {' '.join(words)}")
        said = program(redis, "redis-cli", "--raw", *words).strip()
        redis.lines.append(f"    prints    {said!r}")
        if said != right and not (right == "ERR ..." and said.startswith("ERR ")):
            redis.fail(f"    expected  {right!r}")


@REDIS_STAGES()
def redis_benchmark_is_satisfied(redis: Conversation) -> None:
    """redis-benchmark with 50 clients, each with 16 commands on their way, gets all answers."""
    benchmark(redis)


def benchmark(redis: Conversation) -> None:
    """All the requests of redis-benchmark, each of which is to be answered.

    Raises NotAsked where it is not installed, Failed if the server does not satisfy it.
    """
    redis.lines.append(f"redis-benchmark -t ping,set,get {' '.join(BENCHMARK)}")
    said = program(redis, "redis-benchmark", "-t", "ping,set,get", *BENCHMARK)
    if said.count(" requests per second") != KINDS:  # it ends each kind with such a line
        redis.fail(f"    prints    {said[-200:]!r}")


def program(redis: Conversation, name: str, *words: str) -> str:
    """What one of Redis's programs prints, asking this server."""
    if not shutil.which(name):
        raise NotAsked(f"{name} is not installed")
    redis.settle()  # its child has the server's sockets for a moment: let it close the old ones
    argv = [name, "-h", "127.0.0.1", "-p", str(redis.server.address[1]), *words]
    with tempfile.TemporaryFile() as output:
        running = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            waits = not wait_for_program(running, redis)
        finally:
            running.kill()
            code = running.wait()
        said = os.pread(output.fileno(), 1 << 20, 0).decode(errors="replace")
    if waits:
        redis.fail(f"    {name} waits for an answer, and the server sends none")
    if code and name == "redis-benchmark":
        redis.fail(f"    ends with exit code {code} and says {said[-200:]!r}")
    return said


def wait_for_program(running: subprocess.Popen[bytes], redis: Conversation) -> bool:
    """Whether a program comes to its end; if it waits and the server sleeps, it never will."""
    deadline = time.monotonic() + LONGEST
    quiet = 0
    while running.poll() is None and time.monotonic() < deadline and quiet < QUIET:
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(0.02)
            break
        quiet = quiet + 1 if redis.at_rest() else 0
    return running.poll() is not None
