"""Who comes, says something and goes: one client, two hundred, and every way of leaving."""

import contextlib
import socket

from echo.lab.conformance.catalog import requirement
from echo.lab.conformance.subject import Failed, NoEcho, Subject, Talker, noise, short
from echo.lab.kernel.sockets import longest_queue

THINKS = 1.2  # seconds that a client may think; many servers give it 30, and some none
HUNDREDS = 300  # clients; many a server has a table with 256 places
LITTLE = 512 * 1024  # bytes for a client that is silent

# -- the bytes ----------------------------------------------------------------------------


@requirement(
    again="""
    client = server.connect()
    for message in [b'hello', b'\\0', bytes(range(256)), b'hello again']:
        client.send(message)
        print(client.recv(1000))
    """,
)
def sends_back_what_it_receives(server: Subject) -> None:
    """The server must echo every message, not only the first."""
    client = server.connect()
    try:
        for message in [b"hello", b"\0", bytes(range(256)), b"hello again"]:
            client.says(message)
            client.hears(message)
    except Failed as failure:
        if cause := other_habit(server):
            raise NoEcho(f"{failure}\n{cause}") from None
        raise


def other_habit(server: Subject) -> str:
    """What it may be instead of an echo, as its first client finds out; "" if it is neither."""
    if server.server.ended:
        return ""
    first = server.talkers[0]
    with contextlib.suppress(Failed, OSError):
        first.sock.send(b"\n")
        if first.receive(6)[0] == b"hello\n":
            return "it waits for the end of a line, and an echo gives back what has come"
    with contextlib.suppress(Failed, OSError):
        first.sock.shutdown(socket.SHUT_WR)  # a server may have time for one
        first.receive(1 << 20)  # nor shall it find that its client has reset
        first.leaves()
        server.settle()
        silent = server.connect()
        silent.sock.settimeout(0.3)
        if said := silent.receive(100)[0]:
            return f"it speaks first: {short(said)}, and an echo says only what it has heard"
    return ""


@requirement(
    again="""
    client = server.connect()
    client.shutdown(socket.SHUT_WR)
    client.recv(100)
    """,
)
def closes_when_the_client_has_finished(server: Subject) -> None:
    """When recv() returns b"", the client has finished: the server should close."""
    client = server.connect()
    client.says(b"hello")
    client.hears(b"hello")
    client.finishes()
    client.hears_the_end()
    if not server.connect().is_answered(b"x"):
        return  # it serves one client only: that is the next requirement's to say
    server.talkers[-1].leaves()
    client = server.connect()  # nor need a client have said anything
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
    """When one client has left, the server must serve the next."""
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
    """One recv() may return a part of a message, and one send() may take a part of it."""
    data = noise(server.long)
    client = server.connect()
    with client.saying(data):
        client.hears(data, late=server.enough)  # of the end the server owes a part for a while


# -- many clients ---------------------------------------------------------------------------


@requirement(
    again="""
    silent, client = server.connect(), server.connect()
    client.send(b'hello')
    client.recv(100)
    time.sleep(2)
    silent.send(b'hello')
    silent.recv(100)
    """,
)
def serves_a_second_client_while_the_first_is_silent(server: Subject) -> None:
    """While one client is silent, the server must still answer the others."""
    silent = server.connect()
    client = server.connect()
    client.says(b"hello")
    client.hears(b"hello")
    server.settle()  # whoever has been looked at in vain is still a client
    server.let_pass(THINKS)  # and so is who has taken a moment to think
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
    """A server must keep what belongs to one connection apart from all the others."""
    with server.room_for(200):
        first = waiting_together(server, 100)
        others = [server.connect() for _ in range(100)]
        send_their_numbers(others, 100)
        server.lines = ["clients 1 to 200 connect, and each sends its own number"]
        answers_each(server, first + others)


def waiting_together(server: Subject, count: int) -> list[Talker]:
    """Clients that have sent their numbers.

    When the server looks it finds as many of them as there can be in its queue, and of each a
    message: who has something for a few clients only, of whatever kind, runs out of it for certain.
    """
    at_once, hold = min(100, longest_queue()), server.hold
    if server.foreign:  # its queue may have five places
        at_once, hold = count, contextlib.nullcontext
    clients: list[Talker] = []
    while missing := count - len(clients):
        with hold():
            came = [server.connect() for _ in range(min(at_once, missing))]
            send_their_numbers(came, len(clients))
        clients += came
        server.settle()
    return clients


def send_their_numbers(clients: list[Talker], start: int) -> None:
    for number, client in enumerate(clients, start):
        client.sock.send(b"%d" % number)


def answers_each(server: Subject, clients: list[Talker]) -> None:
    """The last one is asked for its answer first."""
    told = len(server.lines)
    for number, client in reversed(list(enumerate(clients))):
        client.hears(b"%d" % number)
        del server.lines[told:]  # who was answered is of no interest


@requirement(
    again="""
    from echo.lab import more_descriptors
    with more_descriptors():
        clients = [server.connect() for _ in range(300)]
    clients[299].send(b'hello')
    clients[299].recv(100)
    """,
)
def needs_little_memory_for_a_client(server: Subject) -> None:
    """Most clients are silent most of the time: whoever sets a megabyte aside for each of them
    has no room for ten thousand."""
    first = server.connect()
    first.says(b"hello")
    first.hears(b"hello")
    with server.room_for(HUNDREDS):
        server.settle()
        before = server.server.memory()
        clients = waiting_together(server, HUNDREDS)
        server.lines = [f"{HUNDREDS} clients connect, and each sends its own number"]
        answers_each(server, clients)
        after = server.server.memory()
        if before is not None and after is not None:
            each = (after - before) / HUNDREDS
            server.expect(each < LITTLE, f"each of them takes {each / 1024:.0f} KiB of memory")


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
    """The message and the end of input arrive together: echo the one, then close."""
    with server.hold():
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
    """recv() or send() may raise ECONNRESET: that client is gone, and the server goes on."""
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
