"""What wears a server out: long answers, floods, and descriptors that run out."""

import contextlib
import statistics
import time

from echo.lab.conformance.catalog import requirement
from echo.lab.conformance.subject import BUFFER, Subject, Talker, short
from echo.lab.kernel.sockets import unread
from echo.lab.run.faults import Flood, more_descriptors
from echo.lab.run.process import NotAsked


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
    """While one client sends without a pause, the server must still answer the others."""
    quiet = server.connect()
    server.settle()
    with server.flood() as flood:
        loud = server.connect()
        loud.note("sends without a pause, and reads as fast")
        loud.sock.send(b"x")
        server.wait(lambda: flood.reads or any(unread([loud.sock])))
        expect_flooded(server, flood, loud)
        quiet.says(b"hello")
        quiet.hears(b"hello")


@requirement(
    again="""
    # no three lines show this: it takes a client who always has more to say
    """,
)
def answers_a_client_that_goes_on_sending(server: Subject) -> None:
    """A client that always sends more must still get its answers."""
    with server.flood() as flood:
        loud = server.connect()
        loud.note("sends without a pause, and reads as fast")
        loud.sock.send(b"x")
        server.wait(lambda: flood.reads > 100 or any(unread([loud.sock])))
        expect_flooded(server, flood, loud)
        answered = flood.most_unanswered < 100
        server.expect(answered, "its messages are received, a hundred in a row, and not answered")


def expect_flooded(server: Subject, flood: Flood, loud: Talker) -> None:
    """What the flood has not reached cannot be asked; raises NotAsked, with the reason."""
    if flood.reads or server.server.ended:
        return
    if any(unread([loud.sock])):
        raise NotAsked(
            "the flood comes through recv(), and this server receives another way (on a ring, say)"
        )
    raise NotAsked(f"it has not received anything from {loud.name}, so there was no flood")


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
    """accept() fails with EMFILE: go on serving the clients you have, and take others later."""
    clients = [server.connect(), server.connect()]
    for client in clients:
        client.says(b"hello")
        client.hears(b"hello")
    server.run_out_of_descriptors()
    server.knocks()
    server.wait(server.refused)
    server.settle()
    for client in clients:
        client.says(b"still here")
        client.hears(b"still here")
    for client in clients:  # one place for who is waiting, one for the next
        client.finishes()  # and stays open: the bench knows our descriptors by their numbers
        client.hears_the_end()
    server.make_room()
    server.settle()
    client = server.connect()
    client.says(b"is there room now?")
    client.hears(b"is there room now?")


@requirement(
    again="""
    client = server.connect()
    server.run_out_of_descriptors()
    late = server.connect()
    from echo.lab import settle
    settle(server, 10)
    before = server.cpu()
    time.sleep(1)
    server.cpu() - before < 0.02
    """,
)
def sleeps_when_descriptors_have_run_out(server: Subject) -> None:
    """Who cannot be accepted stays in the queue, and keeps the listener readable."""
    client = server.connect()
    client.says(b"hello")
    client.hears(b"hello")
    server.run_out_of_descriptors()
    server.knocks()
    server.wait(server.refused)
    server.expect_asleep()
    client.finishes()  # and stays open, see above
    client.hears_the_end()
    server.make_room()
    server.expect_asleep()


@requirement(
    again="""
    from echo.lab import more_descriptors
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
    with more_descriptors(), server.number_descriptors_from(1024):
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
