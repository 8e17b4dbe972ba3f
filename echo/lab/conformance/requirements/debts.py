"""Who reads late, or not at all: what the server owes, and that it sleeps meanwhile."""

from echo.lab.conformance.catalog import requirement
from echo.lab.conformance.subject import Subject, noise, short

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
    """send() takes only what fits; the server must send the rest later."""
    client = server.connect()
    data = client.stuffs(server.enough)
    server.settle()  # now it owes what does not fit into the buffers
    client.hears_all(data)
    client.leaves()
    client = server.connect()
    data = noise(server.long)
    with client.saying(data):
        server.settle_quickly()  # its sender does not wait for long
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
    """A client that will send no more may still be reading."""
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
    """A full send buffer may stop the echo to one client, but not to all of them."""
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
    """Otherwise one client can fill the memory of the server (backpressure)."""
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
    """A server with nothing to do must sleep: it uses no timeout of 0, and does not ask whether
    there is room to send while it has nothing to send."""
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
    """Unread input keeps a socket readable: do not ask about it unless you will read."""
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
    """End of input keeps a socket readable forever: once you have seen it, stop asking."""
    client = server.connect()
    client.stuffs(server.enough)
    client.finishes()
    server.expect_asleep()
