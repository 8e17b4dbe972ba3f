"""What the kernel says about sockets, each state held still on loopback."""

import contextlib
import select
import socket
import struct
from contextlib import ExitStack

import pytest

from echo import epoll_edge_server, epoll_server, poll_server
from echo.lab import interest_list, listen, queues, start, states, until, waiting
from echo.lab.kernel import sockets, tcp_table

ESTABLISHED = [("this end", "ESTABLISHED"), ("other end", "ESTABLISHED")]


@pytest.fixture
def closing():
    with ExitStack() as stack:
        yield stack.enter_context


@pytest.fixture
def listener(closing):
    return closing(listen())


@pytest.fixture
def pair(closing, listener):
    """A client, and the server's end of it."""
    client = closing(socket.create_connection(listener.getsockname()))
    return client, closing(listener.accept()[0])


def fill(sock):
    """Send until the kernel takes no more; how much that was."""
    sock.setblocking(False)
    count = 0
    while select.select([], [sock], [], 0.1)[1]:
        count += sock.send(bytes(1 << 20))
    return count


@pytest.mark.timing
class TestStates:
    def test_a_listener_and_its_clients(self, listener, closing):
        """Connected by the kernel, whether the server has accepted or not."""
        assert states(listener) == [("server", "LISTEN")]
        closing(socket.create_connection(listener.getsockname()))
        all_three = [("server", "LISTEN"), ("server", "ESTABLISHED"), ("client", "ESTABLISHED")]
        assert until(lambda: states(listener) == all_three)
        assert states(listener.getsockname()[1]) == all_three

    def test_one_connection_from_either_end(self, pair, listener, closing):
        """Others on the same port are not listed."""
        closing(socket.create_connection(listener.getsockname()))
        client, conn = pair
        assert states(client) == states(conn) == ESTABLISHED
        client.shutdown(socket.SHUT_WR)
        assert until(
            lambda: states(client) == [("this end", "FIN_WAIT2"), ("other end", "CLOSE_WAIT")]
        )
        assert states(conn) == [("this end", "CLOSE_WAIT"), ("other end", "FIN_WAIT2")]

    def test_who_closes_first_stays(self, pair, listener):
        """TIME_WAIT is on the side that closed first; the other one is gone."""
        client, conn = pair
        client.close()
        conn.close()
        assert until(lambda: ("client", "TIME_WAIT") in states(listener))
        assert states(listener) == [("server", "LISTEN"), ("client", "TIME_WAIT")]

    def test_nothing_is_left_of_a_reset(self, pair, listener):
        """No goodbye, no waiting."""
        client, conn = pair
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        assert until(lambda: states(listener) == [("server", "LISTEN")])
        assert conn.fileno() >= 0

    def test_a_queue_that_is_full(self, closing):
        """The client has not been refused: it asks again a second later."""
        listener = closing(listen(backlog=0))
        closing(socket.create_connection(listener.getsockname()))
        late = closing(socket.socket())
        late.setblocking(False)
        late.connect_ex(listener.getsockname())
        assert until(lambda: ("client", "SYN_SENT") in states(listener))
        assert waiting(listener) == 1

    def test_a_socket_that_the_kernel_lists_twice(self, pair, listener, monkeypatch):
        """As it does while others on this machine come and go."""

        def twice(port):
            return 2 * tcp_table.tcp_sockets(port)

        monkeypatch.setattr(sockets, "tcp_sockets", twice)
        assert states(pair[0]) == ESTABLISHED
        assert states(listener) == [
            ("server", "LISTEN"),
            ("server", "ESTABLISHED"),
            ("client", "ESTABLISHED"),
        ]

    def test_ipv6_as_well(self, closing):
        if not socket.has_ipv6:
            pytest.skip("this Python has no IPv6")
        try:
            listener = closing(socket.create_server(("::1", 0), family=socket.AF_INET6))
        except OSError:
            pytest.skip("no loopback of IPv6 here")
        assert states(listener)[0] == ("server", "LISTEN")

    def test_a_server_of_ours(self):
        with start(poll_server.serve) as server, server.connect():
            assert states(server)[0] == ("server", "LISTEN")
            assert len(states(server)) == 3


@pytest.mark.timing
class TestQueues:
    def test_socket_may_be_closed_meanwhile(self, listener):
        class ClosedByItsServer(socket.socket):
            def getsockopt(self, *arguments):
                answer = super().getsockopt(*arguments)
                self.close()
                return answer

        with socket.create_connection(listener.getsockname()):
            sock = ClosedByItsServer(fileno=listener.accept()[0].detach())
            assert sockets.unread([sock]) == [0]

    def test_unread_bytes(self, pair):
        client, conn = pair
        client.send(b"hello")
        assert until(lambda: queues(conn).unread == 5)
        conn.recv(2)
        assert queues(conn).unread == 3

    def test_where_bytes_are_that_nobody_reads(self, pair):
        """In one of two buffers, and of those in ours some have not been sent."""
        client, conn = pair
        count = fill(client)
        assert until(lambda: queues(conn).unread + queues(client).unsent >= count)
        unread, mine = queues(conn).unread, queues(client)
        assert unread > 0
        assert 0 < mine.unsent <= mine.unacknowledged
        assert unread + mine.unacknowledged >= count

    def test_another_kind_of_socket_is_told_in_a_sentence(self):
        ours, theirs = socket.socketpair()
        with ours, theirs, pytest.raises(ValueError, match="works only for TCP connections"):
            queues(ours)

    def test_clients_that_wait_to_be_accepted(self, listener, closing):
        assert waiting(listener) == 0
        for _ in range(3):
            closing(socket.create_connection(listener.getsockname()))
        assert until(lambda: waiting(listener) == 3)


class TestInterestList:
    def test_of_a_server_by_role(self, closing):
        """The listener first, then the clients in order."""
        with start(epoll_server.serve) as server:
            clients = [closing(server.connect()) for _ in range(11)]
            listed = interest_list(server)
            assert [*listed] == ["listener", *(f"client {n}" for n in range(1, 12))]
            assert set(listed.values()) == {"IN"}
            assert len(clients) == 11

    def test_two_servers_are_not_mixed_up(self):
        serves = epoll_server.serve, epoll_edge_server.serve
        with start(serves[0]) as one, start(serves[1]) as two, one.connect(), two.connect():
            assert interest_list(one) == {"listener": "IN", "client 1": "IN"}
            assert interest_list(two) == {"listener": "IN|ET", "client 1": "IN|OUT|ET"}

    def test_of_an_instance_by_the_names_given(self, pair, closing):
        client, conn = pair
        epoll = closing(select.epoll())
        assert interest_list(epoll) == {}
        epoll.register(client, select.EPOLLOUT | select.EPOLLONESHOT)
        epoll.register(conn, select.EPOLLIN)
        assert interest_list(epoll, a=client) == {"a": "OUT|ONESHOT", "another fd": "IN"}

    def test_a_server_without_one(self):
        none = pytest.raises(ValueError, match="the poll server has no epoll instance")
        with start(poll_server.serve) as server, none:
            interest_list(server)


class TestUntil:
    def test_returns_what_the_condition_returned(self):
        answers = iter([0, "", 7])
        assert until(lambda: next(answers)) == 7

    def test_says_what_did_not_come(self):
        with pytest.raises(TimeoutError, match=r"^not within 0.01 seconds: 1 > 2$"):
            until(lambda: 1 > 2, 0.01)


HEADING = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  inode"
ONE = (
    "   0: 0100007F:1F90 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 77"
)
OTHER = (
    "  1: 0100007F:C001 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 78"
)
LATER = ONE.replace(" 01 00000000", " 08 00000000", 1)
BOTH = [((0x1F90, 0xC001), 1), ((0xC001, 0x1F90), 1)]


@pytest.mark.parametrize(
    ("readings", "told"),
    [
        ([[ONE, OTHER]], BOTH),
        ([[ONE, OTHER, ONE, OTHER]], BOTH),
        ([[ONE], [ONE, OTHER]], BOTH),
        ([[ONE, LATER, OTHER]], [((0x1F90, 0xC001), 8), ((0xC001, 0x1F90), 1)]),
    ],
    ids=["as it is", "twice", "left out at first", "twice, and changed"],
)
def test_table_of_the_kernel_is_told_as_if_nothing_had_moved(readings, told, monkeypatch):
    """It comes a page at a time; beside thousands of others, lines repeat or are missing."""
    tables = [[*tcp_table.rows("\n".join([HEADING, *lines, ""]), 0x1F90)] for lines in readings]
    monkeypatch.setattr(
        *(sockets, "tcp_sockets", lambda _: tables.pop(0) if len(tables) > 1 else tables[0])
    )
    assert sockets.connections(0x1F90) == told


@pytest.mark.parametrize(
    ("theirs", "ours", "expected"),
    [
        ((0, 0), (0, 0), False),
        ((7, 0), (0, 0), True),  # it has sent, and nothing is here
        ((7, 0), (9, 0), False),  # something is here, and we do not read
        ((0, 0), (0, 7), True),  # we have sent, and nothing is there
        ((0, 9), (0, 7), False),  # something is there, and the server does not read it
        (None, (0, 7), False),  # that end has gone
    ],
)
def test_what_is_on_the_way(monkeypatch, theirs, ours, expected):
    """TCP has still to deliver it, whatever the programs do."""
    monkeypatch.setattr(sockets, "other_end", lambda *_: theirs)
    monkeypatch.setattr(sockets, "queues", lambda _: sockets.Queues(*ours, 0))
    assert sockets.on_the_way(None, 0) is expected


def test_what_is_not_read_is_not_on_the_way():
    """However full both ends are."""
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
    with listener, client, server:
        assert sockets.other_end(client, server.getsockname()[1]) == (0, 0)
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                client.send(bytes(100_000))
        assert sockets.queues(client).unacknowledged
        assert not sockets.on_the_way(client, server.getsockname()[1])


def test_what_moves_between_two_looks_is_counted_once(pair, monkeypatch):
    """The kernel's two ends are asked one after the other, and TCP does not stand still."""
    client, server = pair
    real, late = sockets.other_end, [b"hello"]

    def moves(sock, port):
        found = real(sock, port)
        if late:  # the server gives back what lay unread a moment ago
            server.sendall(server.recv(5))
            assert until(lambda: queues(client).unread) == len(late.pop())
        return found

    client.sendall(b"hello")
    until(lambda: queues(server).unread == 5)
    monkeypatch.setattr(sockets, "other_end", moves)
    assert sockets.held_by_the_kernel(client, client.getpeername()[1]) == 5
