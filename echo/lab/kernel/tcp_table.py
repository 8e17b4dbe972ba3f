"""Every TCP socket of this network namespace, as the kernel lists them.

/proc/net/tcp (proc(5)) makes it look twice through a table with room for hundreds of thousands:
some 4 ms each time on a small machine, and a bench looks often.  sock_diag(7) takes 0.2 ms, and
is asked first; a kernel without it, or a sandbox, has /proc.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from typing import NamedTuple

NETLINK_SOCK_DIAG = 4  # linux/netlink.h
SOCK_DIAG_BY_FAMILY = 20  # linux/sock_diag.h
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300  # linux/netlink.h
NLMSG_DONE = 3
LISTEN = 10  # net/tcp_states.h
ALL_STATES = sum(1 << state for state in range(1, 13))  # the last one is SYN_RECV as well
HEAD = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, number, port
QUESTION = struct.Struct("=BBBxI48x")  # struct inet_diag_req_v2: family, protocol, ..., states
ANSWER = struct.Struct("=BBxx2s2s16s16sI8xIIIII")  # struct inet_diag_msg

looking = threading.Lock()  # held while a descriptor is open that is nobody's but ours


class TcpSocket(NamedTuple):
    """A listener, or one end of a connection; equal ones, and nothing has moved in between."""

    local: int  # its own port
    remote: int  # the port at the other end
    ends: tuple[str, str]  # the addresses
    state: int  # include/net/tcp_states.h
    unacknowledged: int  # bytes that it has sent and the other end has not confirmed
    unread: int  # bytes that have arrived; of a listener, clients in its queue
    inode: int  # 0 for one that no program has: TIME_WAIT, say


def tcp_sockets() -> list[TcpSocket]:
    """All of them, IPv4 first.  None where the kernel does not tell."""
    try:
        return [one for family in (socket.AF_INET, socket.AF_INET6) for one in dump(family)]
    except OSError:
        return [one for name in ("tcp", "tcp6") for one in in_proc(name)]


def dump(family: int) -> list[TcpSocket]:
    """What sock_diag(7) says of one family; raises OSError where there is none."""
    question = QUESTION.pack(family, socket.IPPROTO_TCP, 0, ALL_STATES)
    head = HEAD.pack(
        HEAD.size + len(question), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 0, 0
    )
    found: list[TcpSocket] = []
    with (
        looking,
        socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_SOCK_DIAG) as kernel,
    ):
        kernel.send(head + question)
        while True:
            data = kernel.recv(1 << 16)  # the kernel sends at most 32 KiB at a time
            while data:
                length, kind, *_ = HEAD.unpack_from(data)
                if kind == NLMSG_DONE:
                    return found
                if kind != SOCK_DIAG_BY_FAMILY:
                    raise OSError("sock_diag(7) does not know TCP")
                found.append(answered(data))
                data = data[(length + 3) & ~3 :]  # each begins at a multiple of four


def answered(message: bytes) -> TcpSocket:
    fields = ANSWER.unpack_from(message, HEAD.size)
    _, state, local, remote, here, there, _, _, unread, unacknowledged, _, inode = fields
    ports = int.from_bytes(local, "big"), int.from_bytes(remote, "big")
    if state == LISTEN:
        unacknowledged = 0  # here it is how many places the queue has
    return TcpSocket(*ports, (here.hex(), there.hex()), state, unacknowledged, unread, inode)


def in_proc(name: str) -> Iterator[TcpSocket]:
    """The rows of /proc/net/<name> (proc_net_tcp.rst in the kernel's documentation)."""
    with contextlib.suppress(OSError), open(f"/proc/net/{name}", encoding="ascii") as file:
        yield from rows(file.read())


def rows(text: str) -> Iterator[TcpSocket]:
    """The lines below the heading."""
    for line in text.splitlines()[1:]:
        words = line.split()
        (here, local), (there, remote) = (end.split(":") for end in words[1:3])
        unacknowledged, unread = (int(count, 16) for count in words[4].split(":"))
        ports = int(local, 16), int(remote, 16)
        state, inode = int(words[3], 16), int(words[9])
        yield TcpSocket(*ports, (here, there), state, unacknowledged, unread, inode)
