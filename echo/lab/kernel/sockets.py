"""What the kernel says about sockets: TCP states, who waits, the interest list of an epoll.

    states(listener)                 # [("server", "LISTEN")]
    until(lambda: states(client) == [("this end", "FIN_WAIT2"), ("other end", "CLOSE_WAIT")])
    waiting(listener)                # clients that nobody has accepted yet

Everything here only looks.  Sockets appear by their role, never by a number.
"""

import contextlib
import fcntl
import itertools
import os
import re
import select
import socket
import struct
import termios
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from echo.lab.kernel.processes import epolls
from echo.lab.kernel.tcp_table import tcp_sockets
from echo.lab.words import flag_names, in_order

Found = TypeVar("Found")
IP = socket.AF_INET, socket.AF_INET6
HERE = {"0100007F", "00000000", "0" * 32, "0" * 16 + "FFFF00000100007F"}  # v4, any v4, v6, mapped


class Listening(NamedTuple):
    """A listening socket, and how many clients are in its queue, not accepted yet."""

    here: bool  # whether 127.0.0.1 reaches it
    waiting: int
    inode: str


def listeners(port: int) -> list[Listening]:
    """The sockets that listen on a port (proc_net_tcp.rst in the kernel's documentation).

    Those come first.  Read no further: the kernel looks for others in a large, empty table.
    """
    found = []
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError), open(f"/proc/net/{name}", "rb", buffering=512) as rows:
            for row in itertools.islice(rows, 1, None):
                fields = row.decode("ascii").split()
                if fields[3] != "0A":
                    break
                host, number = fields[1].split(":")
                if int(number, 16) == port:
                    waiting = int(fields[4].partition(":")[2], 16)
                    found.append(Listening(host in HERE, waiting, fields[9]))
        if found:
            break
    return found


def longest_queue() -> int:
    """How many places the kernel gives a listener at most, whatever it asks for (listen(2))."""
    with (
        contextlib.suppress(OSError),
        open("/proc/sys/net/core/somaxconn", encoding="ascii") as file,
    ):
        return int(file.read())
    return socket.SOMAXCONN


def other_end(client: socket.socket, port: int) -> tuple[int, int] | None:
    """Bytes not acknowledged and bytes unread at the server's end of a connection to `port`.

    As the kernel lists it, for that end may belong to another process.  None if it is not there.
    """
    mine = client.getsockname()[1]
    for one in tcp_sockets(mine):  # a server's port may have thousands
        if (one.local, one.remote) == (port, mine):
            return one.unacknowledged, one.unread
    return None


def held_by_the_kernel(client: socket.socket, port: int) -> int | None:
    """Bytes of one connection to a server on `port` that lie in the kernel's four queues.

    None if the server's end is not there.
    """
    ours, theirs = while_nothing_moves(client, lambda: other_end(client, port))
    return None if theirs is None else sum(theirs) + ours.unread + ours.unacknowledged


def on_the_way(client: socket.socket, port: int) -> bool:
    """Whether TCP itself has still to deliver something of this connection, in either direction.

    A packet that found no room is sent again after a while that doubles each time (tcp(7)); until
    then both programs sleep, and neither is to blame.
    """
    theirs, ours = other_end(client, port), queues(client)
    if theirs is None:
        return False
    unacknowledged, unread = theirs
    return bool((unacknowledged and not ours.unread) or (ours.unacknowledged and not unread))


def ends_here(port: int) -> list[int]:
    """The descriptors of this process that are a server's ends of connections on `port`.

    Whoever has accepted them: accept(2), or io_uring(7), of which Python knows nothing.
    """
    found = []
    for fd in map(int, os.listdir("/proc/self/fd")):
        with contextlib.suppress(OSError):  # no socket, or none of IP
            sock = socket.socket(fileno=fd)
            try:
                ours = sock.family in IP and sock.getsockname()[1] == port
                if ours and not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    found.append(fd)
            finally:
                sock.detach()
    return found


class Queues(NamedTuple):
    """Bytes that the kernel holds for one socket."""

    unread: int  # arrived, and not yet read (FIONREAD, tcp(7))
    unacknowledged: int  # taken from us and not confirmed by the peer's kernel (TIOCOUTQ)
    unsent: int  # of these, not sent yet: the peer's window is closed, say (SIOCOUTQNSD)


def queues(sock: socket.socket) -> Queues:
    """How many bytes the kernel holds for `sock`, a TCP connection, in each direction.

    Raises ValueError for another socket: a Unix one, as of socketpair(), has no such numbers.
    """
    if sock.family not in IP:
        raise ValueError("queues() works only for TCP connections; this is another kind of socket")
    numbers = []
    for request in (termios.FIONREAD, termios.TIOCOUTQ, 0x894B):  # SIOCOUTQNSD, linux/sockios.h
        answer = fcntl.ioctl(sock, request, bytes(4))
        numbers.append(struct.unpack("i", answer)[0])
    return Queues(*numbers)


def while_nothing_moves(sock: socket.socket, ask: Callable[[], Found]) -> tuple[Queues, Found]:
    """queues(sock), and what ask() returns about the same bytes.

    Bytes move also while both programs sleep.  What moves between the two questions would count
    twice or not at all, so we ask again until nothing has, a hundred times at most.
    """
    queued, found = queues(sock), ask()
    for _ in range(100):
        before, queued = queued, queues(sock)
        if queued == before:
            break
        found = ask()
    return queued, found


def unread(sockets: list[socket.socket]) -> list[int]:
    """What lies in the kernel for each socket: clients in the accept queue of a listener
    (tcpi_unacked, net/ipv4/tcp.c), else bytes that have arrived (FIONREAD, tcp(7))."""
    counts = []
    for sock in sockets:
        try:
            if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                counts.append(struct.unpack_from("I", tcp_info(sock), 24)[0])
            else:
                data = fcntl.ioctl(sock, termios.FIONREAD, bytes(4))
                counts.append(struct.unpack("i", data)[0])
        except (OSError, ValueError):  # closed meanwhile, perhaps between the two calls
            counts.append(0)
    return counts


def segments_in(sock: socket.socket) -> int:
    """Packets that have come in on a connection, empty ones too (tcpi_segs_in, since Linux 4.2)."""
    return int(struct.unpack_from("I", tcp_info(sock), 140)[0])


def tcp_info(sock: socket.socket) -> bytes:
    """What the kernel knows of a connection (tcp(7); struct tcp_info, include/uapi/linux/tcp.h).

    As much of it as there is since Linux 4.2.  Raises OSError for a socket that is closed.
    """
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 144)


def connections(port: int) -> list[tuple[tuple[int, int], int]]:
    """((local port, remote port), state) of every TCP socket here with this port at either end.

    The kernel tells them a few hundred at a time.  While sockets come and go, one may be listed
    twice or left out between two parts (net/ipv4/inet_diag.c, inet_diag_dump_icsk).
    So each counts once, and two readings in a row must say the same.
    """
    found = by_ends(port)
    for _ in range(10):  # states may be changing: whoever waits for one asks again anyway
        before, found = found, by_ends(port)
        if found == before:
            break
    return list(found.values())


def by_ends(port: int) -> dict[tuple[Any, ...], tuple[tuple[int, int], int]]:
    """One reading, by what tells two sockets apart: their ends and the inode."""
    return {
        (one.ends, one.local, one.remote, one.inode): ((one.local, one.remote), one.state)
        for one in tcp_sockets(port)
    }


# include/net/tcp_states.h
TCP_STATES = dict(
    enumerate(
        [
            *("ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT"),
            *("CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "SYN_RECV"),
        ],
        start=1,
    )
)
ALWAYS = select.POLLERR | select.POLLHUP  # the kernel adds them to every entry (epoll_ctl(2))


def states(of: Any) -> list[tuple[str, str]]:
    """The TCP state of each end, as the kernel lists them: [("server", "LISTEN"), ...].

    `of`: a connected socket, and it is "this end" and its peer the "other end"; or a server, a
    listening socket or its port, and then every connection on that port: "server", "client".
    An end that is gone, or belongs to another machine, is not listed.  One that an earlier
    listener on that port has left in TIME_WAIT is; start() and listen() avoid such ports.
    """
    if isinstance(of, socket.socket) and not listens(of):
        here, there = of.getsockname()[1], of.getpeername()[1]
        ends = {(here, there): "this end", (there, here): "other end"}
        return ends_in_order((ends[one], state) for one, state in connections(here) if one in ends)
    port = of if isinstance(of, int) else getattr(of, "listener", of).getsockname()[1]
    return ends_in_order(
        ("server" if local == port else "client", state) for (local, _), state in connections(port)
    )


def state(sock: socket.socket) -> str:
    """The TCP state of this end alone, asked of the socket itself: "CLOSE_WAIT".

    So it can also be asked while nobody has answered, and when the other end is gone.
    """
    return TCP_STATES[tcp_info(sock)[0]]


def sent_again(sock: socket.socket) -> int:
    """How often the kernel has sent something again for want of an answer, a SYN as well
    (tcpi_total_retrans, include/uapi/linux/tcp.h)."""
    (count,) = struct.unpack_from("I", tcp_info(sock), 100)
    return int(count)


def ends_in_order(ends: Any) -> list[tuple[str, str]]:
    order = ["server", "this end", "other end", "client"]
    named = [(end, TCP_STATES[state]) for end, state in ends]
    return sorted(named, key=lambda one: (order.index(one[0]), one[1] != "LISTEN", one[1]))


def listens(sock: socket.socket) -> bool:
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def waiting(listener: Any) -> int:
    """How many clients are connected and not yet accepted, of a listening socket or a server."""
    return unread([getattr(listener, "listener", listener)])[0]


def interest_list(epoll: Any, **named: Any) -> dict[str, str]:
    """Whom an epoll instance watches, and for what: {"listener": "IN", "client 1": "IN|ET"}.

    From /proc/self/fdinfo (proc(5)), where the kernel lists it.  Of a server of ours the roles
    are known; for another epoll instance, give the sockets names: interest_list(epoll, a=a).
    Raises ValueError for a server that has none.
    """
    if hasattr(epoll, "listener"):
        lists = map(entries, epolls())
        watched = next((one for one in lists if epoll.listener.fileno() in one), None)
        if watched is None:
            raise ValueError(f"the {epoll.name} server has no epoll instance")
        roles = epoll.roles
    else:
        watched = entries(epoll.fileno())
        roles = {one.fileno(): name for name, one in named.items()}
    found = {roles.get(fd, "another fd"): flag_names(events) for fd, events in watched.items()}
    return {role: found[role] for role in sorted(found, key=in_order)}


def entries(epoll: int) -> dict[int, int]:
    """{descriptor: events} of an epoll instance; ERR and HUP, which every entry has, left out."""
    with open(f"/proc/self/fdinfo/{epoll}", encoding="ascii") as file:
        found = re.findall(r"tfd:\s*(\d+) events:\s*([0-9a-f]+)", file.read())
    return {int(fd): int(events, 16) & ~ALWAYS for fd, events in found}
