"""What the kernel says about sockets: TCP states, who waits, the interest list of an epoll.

    states(listener)                 # [("server", "LISTEN")]
    until(lambda: states(client) == [("this end", "FIN_WAIT2"), ("other end", "CLOSE_WAIT")])
    waiting(listener)                # clients that nobody has accepted yet

Everything here only looks.  Sockets appear by their role, never by a number.
"""

import ast
import contextlib
import inspect
import re
import select
import socket
import struct
import textwrap
import time
from collections.abc import Callable
from typing import Any

from echo.lab import kernel, trace
from echo.lab.background import Server, epolls

# include/net/tcp_states.h; the fourth column of /proc/net/tcp, in hexadecimal (proc(5))
STATES = dict(
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
    """The TCP state of each end, from /proc/net/tcp: [("server", "LISTEN"), ...].

    `of`: a connected socket, and it is "this end" and its peer the "other end"; or a server, a
    listening socket or its port, and then every connection on that port: "server", "client".
    An end that is gone, or belongs to another machine, is not listed.  One that an earlier
    listener on that port has left in TIME_WAIT is; start() and listen() avoid such ports.
    """
    if isinstance(of, socket.socket) and not listens(of):
        here, there = of.getsockname()[1], of.getpeername()[1]
        ends = {(here, there): "this end", (there, here): "other end"}
        return in_order(
            (ends[one], state) for one, state in kernel.connections(here) if one in ends
        )
    port = of if isinstance(of, int) else getattr(of, "listener", of).getsockname()[1]
    return in_order(
        ("server" if local == port else "client", state)
        for (local, _), state in kernel.connections(port)
    )


def state(sock: socket.socket) -> str:
    """The TCP state of this end alone, asked of the socket itself: "CLOSE_WAIT".

    So it can also be asked while nobody has answered, and when the other end is gone.
    """
    return STATES[kernel.tcp_info(sock)[0]]


def sent_again(sock: socket.socket) -> int:
    """How often the kernel has sent something again for want of an answer, a SYN as well
    (tcpi_total_retrans, include/uapi/linux/tcp.h)."""
    return struct.unpack_from("I", kernel.tcp_info(sock), 100)[0]


def in_order(ends: Any) -> list[tuple[str, str]]:
    order = ["server", "this end", "other end", "client"]
    named = [(end, STATES[state]) for end, state in ends]
    return sorted(named, key=lambda one: (order.index(one[0]), one[1] != "LISTEN", one[1]))


def listen(backlog: int = socket.SOMAXCONN) -> socket.socket:
    """A listening socket on a port of 127.0.0.1 that has no past."""
    listener = socket.socket()
    kernel.bind(listener)
    listener.listen(backlog)
    return listener


def listens(sock: socket.socket) -> bool:
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def waiting(listener: socket.socket | Server) -> int:
    """How many clients are connected and not yet accepted."""
    return kernel.unread([getattr(listener, "listener", listener)])[0]


def interest_list(epoll: "select.epoll | Server", **named: Any) -> dict[str, str]:
    """Whom an epoll instance watches, and for what: {"listener": "IN", "client 1": "IN|ET"}.

    From /proc/self/fdinfo (proc(5)), where the kernel lists it.  Of a server of ours the roles
    are known; for another epoll instance, give the sockets names: interest_list(epoll, a=a).
    Raises ValueError for a server that has none.
    """
    if isinstance(epoll, Server):
        lists = map(entries, epolls())
        watched = next((one for one in lists if epoll.listener.fileno() in one), None)
        if watched is None:
            raise ValueError(f"the {epoll.name} server has no epoll instance")
        roles = epoll.roles
    else:
        watched = entries(epoll.fileno())
        roles = {one.fileno(): name for name, one in named.items()}
    found = {roles.get(fd, "somebody else"): events for fd, events in watched.items()}
    return {role: found[role] for role in sorted(found, key=trace.in_order)}


def entries(epoll: int) -> dict[int, str]:
    """{descriptor: events} of an epoll instance; ERR and HUP, which every entry has, left out."""
    with open(f"/proc/self/fdinfo/{epoll}", encoding="ascii") as file:
        found = re.findall(r"tfd:\s*(\d+) events:\s*([0-9a-f]+)", file.read())
    return {int(fd): trace.flags(int(events, 16) & ~ALWAYS) for fd, events in found}


def until(condition: Callable[[], Any], seconds: float = 5) -> Any:
    """Wait until condition() holds, and return what it returned.

    A state of TCP often comes a moment after the call that causes it.
    Raises TimeoutError after `seconds`, with what the condition says in the source.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} seconds: {text_of(condition)}")
        time.sleep(0.001)
    return value


def text_of(condition: Callable[[], Any]) -> str:
    """What stands behind `lambda:`, or the name of a function."""
    name = getattr(condition, "__name__", repr(condition))
    if name == "<lambda>":
        with contextlib.suppress(OSError, SyntaxError):
            tree = ast.parse(textwrap.dedent(inspect.getsource(condition)))
            found = [node for node in ast.walk(tree) if isinstance(node, ast.Lambda)]
            if len(found) == 1:
                return ast.unparse(found[0].body)
    return name
