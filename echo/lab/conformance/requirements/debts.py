"""Who reads late, or not at all: what the server owes, and that it sleeps meanwhile."""

from collections.abc import Callable

from echo.lab.conformance.catalog import requirement
from echo.lab.conformance.subject import LONG, Subject, Talker, noise, short

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
    server.expect_owing(client)
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
    server.expect_owing(client)
    client.hears_all(data)
    client.hears_the_end()


@requirement(
    again="""
    for _ in range(20):
        server.connect().close()
    server.descriptors()
    """,
)
def gives_its_descriptors_back(server: Subject) -> None:
    """A server that leaks one descriptor per client fails after a thousand clients."""
    twenty_come_and_go(server)
    threads = len(server.server.look())
    leaked = leaked_by(server, twenty_come_and_go)
    server.expect(leaked <= 0, f"the server still holds {leaked} descriptors of theirs")
    if (more := len(server.server.look()) - threads) > 5:  # a pool grows as well, but not for ever
        twenty_come_and_go(server)
        server.wait(lambda: len(server.server.look()) - threads <= more + 5)
        more = min(more, len(server.server.look()) - threads - more)
        server.expect(more <= 5, f"the server has {more} threads more after each twenty clients")
    leaked = leaked_by(server, two_owe_and_reset)
    server.expect(leaked <= 0, f"the server still holds {leaked} descriptors of the last two")


def leaked_by(server: Subject, visit: Callable[[Subject], None]) -> int:
    """How many descriptors more the server holds after clients have been there.

    A pool grows as well, of pipes for splice() for instance, but by a few and not for ever: so a
    few must have become more after each of three visits.
    """
    for _ in range(3):
        leaked = grown_by(server, visit)
        if leaked <= 0 or leaked > 5:
            break
    return leaked


def grown_by(server: Subject, visit: Callable[[Subject], None]) -> int:
    before = server.descriptors()
    visit(server)
    server.wait(lambda: server.descriptors() <= before)
    return server.descriptors() - before


def two_owe_and_reset(server: Subject) -> None:
    for _ in range(2):
        client = server.connect()
        client.stuffs()
        client.resets()


def twenty_come_and_go(server: Subject) -> None:
    for leave in [Talker.leaves, Talker.resets] * 10:
        client = server.connect()
        client.says(b"x")
        client.hears(b"x")
        leave(client)
    server.lines = ["twenty clients connect, send b'x', receive it and leave"]
    server.settle()


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
    server.expect_owing(deaf)
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
    client = server.connect()
    took = client.stuffs()
    server.expect(len(took) < server.much, f"the server takes all of its {short(took)}")
    server.expect_owing(client)


@requirement(
    again="""
    server.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1_000_000)
    client = server.connect()
    client.settimeout(0.001)
    owed = 0
    for _ in range(300):
        try:
            owed += client.send(bytes(1_000_000))
            owed -= len(client.recv(8192))
        except TimeoutError:
            pass
    print(owed)
    """,
    small=True,
)
def stops_reading_from_a_client_that_reads_slowly(server: Subject) -> None:
    """Readiness to send is no reason to receive: who does both on every event owes more with
    each of them."""
    server.receives_more_than_it_sends()
    most = server.connect().reads_slowly()
    server.expect(most < LONG, f"the server holds {most:,} bytes of its by now")


# -- what it costs --------------------------------------------------------------------------


@requirement(
    again="""
    client = server.connect()
    from echo.lab import settle
    settle(server, 10)
    before = server.cpu()
    time.sleep(1)
    server.cpu() - before < 0.02
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
    from echo.lab import settle
    settle(server, 10)
    before = server.cpu()
    time.sleep(1)
    server.cpu() - before < 0.02
    """,
    small=True,
)
def sleeps_while_a_client_does_not_read(server: Subject) -> None:
    """Unread input keeps a socket readable: do not ask about it unless you will read."""
    client = server.connect()
    client.stuffs()
    server.expect_asleep()
    server.expect_owing(client)


@requirement(
    again="""
    client = server.connect()
    client.setblocking(False)
    client.send(bytes(300_000))
    client.shutdown(socket.SHUT_WR)
    from echo.lab import settle
    settle(server, 10)
    before = server.cpu()
    time.sleep(1)
    server.cpu() - before < 0.02
    """,
    small=True,
)
def sleeps_while_a_half_closed_client_does_not_read(server: Subject) -> None:
    """End of input keeps a socket readable forever: once you have seen it, stop asking."""
    client = server.connect()
    client.stuffs(server.enough)
    client.finishes()
    server.expect_asleep()
    server.expect_owing(client)


@requirement(
    again="""
    stays, client = server.connect(), server.connect()
    client.send(b'hello')
    client.recv(100)
    client.close()
    from echo.lab import settle
    settle(server, 10)
    before = server.cpu()
    time.sleep(1)
    server.cpu() - before < 0.02
    """,
)
def sleeps_when_clients_have_left(server: Subject) -> None:
    """A descriptor that is closed and still on a list is ready for ever: poll() says POLLNVAL."""
    stays, *others = [server.connect() for _ in range(5)]
    stays.says(b"hello")
    stays.hears(b"hello")
    for client in others[1:3]:  # who serves one after another has not even seen them
        client.says(b"hello")
    others[3].stuffs(server.enough)  # it leaves while it is owed something
    server.settle()
    ways = Talker.leaves, Talker.leaves, Talker.resets, Talker.resets
    for client, leave in zip(others, ways, strict=True):
        leave(client)
    server.expect_asleep()
    stays.says(b"still here")
    stays.hears(b"still here")
