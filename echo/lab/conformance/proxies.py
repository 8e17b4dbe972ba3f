"""The requirements of an exercise: what a server must do if it is a proxy for another one.

They are no part of the suite, because only a proxy has a server behind it.
"""

import socket

from echo.lab.conformance.catalog import Requirement, required
from echo.lab.conformance.subject import SOON, Subject
from echo.lab.run.one_turn import both_in_one_turn
from echo.lab.run.server import Server

THROUGH = """
tape = Tape()
server = start({}, tape)
before = behind.arrived
client = server.connect()
client.send(b'hello')
print(client.recv(100))
behind.arrived > before
""".strip()
GONE = """
import socket
tape = Tape()
deaf = socket.socket()
deaf.bind(('127.0.0.1', 0))
address, behind.address = behind.address, deaf.getsockname()
server = start({}, tape)
client = server.connect()
behind.address = address
client.settimeout(1)
client.recv(100)
""".strip()
ONE_TURN = """
import socket
from echo.lab import both_in_one_turn
tape = Tape()
door = socket.create_server(('127.0.0.1', 0))
address, behind.address = behind.address, door.getsockname()
server = start({{}}, tape)
client, (back, _) = server.connect(), door.accept()
behind.address = address
both_in_one_turn(server, {})
while client.recv(100_000):
    pass
""".strip()


class Elsewhere:
    """Inside the block, a socket of ours has the address of the server behind.

    `listens`: whether it takes connections; if not, they are refused.
    """

    def __init__(self, behind: Server, listens: bool) -> None:
        self.behind, self.listens = behind, listens

    def __enter__(self) -> None:
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(SOON)
        if self.listens:
            self.socket.listen()
        self.address, self.behind.address = self.behind.address, self.socket.getsockname()

    def __exit__(self, *_: object) -> None:
        self.behind.address = self.address
        self.socket.close()


def of_a_proxy(behind: Server) -> list[Requirement]:
    """What a proxy must do for `behind`, whose address it looks up when it begins or connects."""

    def lets_its_clients_through_to_the_server_behind(server: Subject) -> None:
        """A proxy passes on what it receives; it does not answer by itself."""
        before = behind.arrived
        client = server.connect()
        client.says(b"hello")
        client.hears(b"hello")
        server.expect(behind.arrived > before, "the server behind has not seen a client")

    def survives_an_event_for_a_client_that_it_has_just_closed(server: Subject) -> None:
        """Both ends may be reported in one turn, and the first event may close both."""
        in_one_turn(server, door.socket, client_first=False)

    def survives_an_event_for_the_other_end_that_it_has_just_closed(server: Subject) -> None:
        """Both ends may be reported in one turn, and the first event may close both."""
        in_one_turn(server, door.socket, client_first=True)

    gone, door = Elsewhere(behind, listens=False), Elsewhere(behind, listens=True)
    return [
        required(lets_its_clients_through_to_the_server_behind, THROUGH),
        required(closes_a_client_when_the_server_behind_is_gone, GONE, around=gone),
        required(sleeps_when_the_server_behind_is_gone, GONE, around=gone),
        required(
            survives_an_event_for_a_client_that_it_has_just_closed,
            ONE_TURN.format("back, client"),
            around=door,
        ),
        required(
            survives_an_event_for_the_other_end_that_it_has_just_closed,
            ONE_TURN.format("client, back"),
            around=door,
        ),
    ]


def closes_a_client_when_the_server_behind_is_gone(server: Subject) -> None:
    """Its connection is refused, SO_ERROR says so, and nobody will ever answer the client."""
    client = server.connect()
    got, end = client.receive(1)
    if got or not end:
        client.note("expects   b'': the end")
        server.fail(
            f"{client.name} receives  {got!r}" if got else f"{client.name} receives  nothing"
        )


def sleeps_when_the_server_behind_is_gone(server: Subject) -> None:
    """An end that wants nothing must leave the list: EPOLLHUP comes unasked."""
    server.connect()
    server.expect_asleep()


def in_one_turn(server: Subject, door: socket.socket, client_first: bool) -> None:
    """One side owes nothing and finishes; for the other there is room for the rest again."""
    assert isinstance(server.server, Server)
    client = server.connect()
    try:
        back, _ = door.accept()
    except TimeoutError:
        server.fail("the proxy does not connect to the server behind")
    names = client.name, "the server behind"
    first, second = (client.sock, back) if client_first else (back, client.sock)
    one, other = names if client_first else names[::-1]
    with back:
        back.settimeout(SOON)
        server.lines += [
            f"{other} says that it has finished, and does not read",
            f"{one} sends until the proxy holds some of it",
            f"in one turn, {one} finishes, and {other} reads: there is room again",
        ]
        try:
            rest = both_in_one_turn(server.server, first, second)
            while rest and (piece := second.recv(rest)):
                rest -= len(piece)
        except TimeoutError:
            server.fail("this does not come about")
        except OSError:
            server.fail("the proxy closes a connection too early")
        server.expect(not rest, f"{other} does not receive the rest")
        server.settle()
        if server.server.crash is not None:
            server.fail()
