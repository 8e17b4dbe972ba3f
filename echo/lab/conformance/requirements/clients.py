"""Who comes, says something and goes: one client, two hundred, and every way of leaving."""

import contextlib

from echo.lab.conformance.catalog import requirement
from echo.lab.conformance.subject import Subject, Talker, noise

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
    """The server must echo every message, not only the first."""
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
    """When recv() returns b"", the client has finished: the server should close."""
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
    """While one client is silent, the server must still answer the others."""
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
    """A server must keep what belongs to one connection apart from all the others."""
    # A stranger's queue may have five places.
    with contextlib.nullcontext() if server.foreign else server.hold():
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


@requirement(
    again="""
    for _ in range(20):
        server.connect().close()
    server.descriptors()
    """,
)
def gives_its_descriptors_back(server: Subject) -> None:
    """A server that leaks one descriptor per client fails after a thousand clients."""
    sends_back_what_it_receives(server)
    server.talkers[-1].leaves()
    server.settle()
    before = server.descriptors()
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
    server.wait(lambda: server.descriptors() <= before)
    leaked = server.descriptors() - before
    server.expect(leaked <= 0, f"the server still holds {leaked} descriptors of theirs")
