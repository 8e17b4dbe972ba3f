"""The kernel's list of TCP sockets, asked in two ways."""

import itertools
import os
import socket
import threading

import pytest

from echo.lab import listen, until
from echo.lab.kernel import tcp_table
from echo.lab.kernel.tcp_table import LISTEN, TcpSocket, dump, in_proc, once_each, tcp_sockets
from echo.lab.run.clients import connected
from echo.lab.run.faults import Full, more_descriptors


@pytest.fixture
def port():
    """Of a listener with a client in its queue, one that is owed bytes, and one that has left."""
    with listen() as listener:
        clients = [socket.create_connection(listener.getsockname()) for _ in range(3)]
        ends = [listener.accept()[0] for _ in range(2)]
        ends[0].send(b"unread")
        clients[1].close()
        port = listener.getsockname()[1]
        until(lambda: has_come_to_rest(of(tcp_sockets(port))))
        yield port
        for sock in clients + ends:
            sock.close()


def has_come_to_rest(sockets):
    """All is delivered and confirmed, and who has left waits for the other end to close."""
    states = {one.state for one in sockets}
    return states == {1, 5, 8, 10} and not any(one.unacknowledged for one in sockets)


def of(sockets):
    return sorted(one._replace(ends=()) for one in once_each(list(sockets)))


def test_both_ways_tell_the_same(port):
    """But for how they write an address."""
    try:
        quickly = of(dump(socket.AF_INET, port))
    except OSError:
        pytest.skip("this kernel has no sock_diag(7)")
    assert quickly == of(in_proc("tcp", port))
    assert [(one.state, one.unread) for one in quickly if one.local == port] == [
        *((10, 1), (1, 0), (8, 1), (1, 0))
    ]
    assert 6 in [one.unread for one in quickly]
    assert all(isinstance(one, TcpSocket) for one in tcp_sockets(port))


@pytest.mark.parametrize("wrong", ["NETLINK_SOCK_DIAG", "SOCK_DIAG_BY_FAMILY"])
def test_where_it_cannot_be_asked_there_is_proc(wrong, port, monkeypatch):
    """A sandbox has no such socket, or a kernel answers with an error."""
    told = of(tcp_sockets(port))
    monkeypatch.setattr(tcp_table, wrong, 31)
    with pytest.raises(OSError):  # noqa: PT011  # whichever it is
        dump(socket.AF_INET, port)
    assert of(tcp_sockets(port)) == told


def test_what_the_kernel_repeats_is_listed_once():
    """As it was the last time; listeners may share a port."""
    earlier = TcpSocket(7, 40000, ("a", "b"), 1, 0, 5, 100)
    later = earlier._replace(unread=6)
    listeners = [TcpSocket(7, 0, ("a", ""), LISTEN, 0, 0, inode) for inode in (1, 2)]
    assert once_each([*listeners, earlier, later, listeners[0]]) == [*listeners, later]


def test_hundreds_are_all_listed():
    """The kernel tells them in parts."""
    with more_descriptors(), listen() as listener:
        pairs = [connected(listener) for _ in range(400)]  # one by one: the queue may be short
        found = tcp_sockets(listener.getsockname()[1])
        for sock in itertools.chain(*pairs):
            sock.close()
    assert len(found) == 801


def test_nothing_stays_open():
    before = os.listdir("/proc/self/fd")
    tcp_sockets(80)
    assert os.listdir("/proc/self/fd") == before


def test_its_descriptor_is_never_taken_for_one_of_the_server():
    """Who counts those that are open waits until it is closed again."""
    full = Full(set())
    thread = threading.Thread(target=full.admits)
    with tcp_table.looking:
        thread.start()
        thread.join(0.05)
        assert thread.is_alive()
    thread.join()
    assert full.open is not None
