"""The TCP sockets with a given port, in this network namespace, as the kernel lists them.

/proc/net/tcp (proc(5)) makes it look twice through a table with room for hundreds of thousands:
some 4 ms each time on a small machine, and a bench looks often.  sock_diag(7) takes 0.2 ms and
picks those that we want; a kernel without it, or a sandbox, has /proc.
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
INET_DIAG_REQ_BYTECODE = 1  # linux/inet_diag.h, as all below
JMP, S_GE, S_LE, D_GE, D_LE = 1, 2, 3, 4, 5  # S: its own port, D: the other end's
OPERATION = struct.Struct("=BBH")  # struct inet_diag_bc_op
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


def tcp_sockets(port: int) -> list[TcpSocket]:
    """All with this port at either end, IPv4 first.  None where the kernel does not tell."""
    try:
        found = [one for family in (socket.AF_INET, socket.AF_INET6) for one in dump(family, port)]
    except OSError:
        found = [one for name in ("tcp", "tcp6") for one in in_proc(name, port)]
    return once_each(found)


def once_each(found: list[TcpSocket]) -> list[TcpSocket]:
    """The kernel tells them in parts, and what comes or goes in between makes it repeat some."""
    last = {}
    for one in found:
        shared = one.inode if one.state == LISTEN else 0  # listeners may share a port
        last[one.local, one.remote, one.ends, shared] = one
    return list(last.values())


def dump(family: int, port: int) -> list[TcpSocket]:
    """What sock_diag(7) says of one family; raises OSError where there is none."""
    question = QUESTION.pack(family, socket.IPPROTO_TCP, 0, ALL_STATES) + condition(port)
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
            data = memoryview(kernel.recv(1 << 16))  # the kernel sends at most 32 KiB at a time
            while data:
                length, kind, *_ = HEAD.unpack_from(data)
                if kind == NLMSG_DONE:
                    return found
                if kind != SOCK_DIAG_BY_FAMILY:
                    raise OSError("sock_diag(7) does not know TCP")
                found.append(answered(data))
                data = data[(length + 3) & ~3 :]  # each begins at a multiple of four


def condition(port: int) -> bytes:
    """A filter (struct nlattr, INET_DIAG_REQ_BYTECODE): one of its two ports is this one.

    Five operations, each with how many bytes to go on if it holds, and if not.  Who comes to the
    end is listed, and who is sent four bytes beyond is not (inet_diag_bc_run in inet_diag.c).
    """
    operations = [
        *((S_GE, 8, 20, port), (S_LE, 8, 12, port)),  # not its own: go on with the other one
        (JMP, 4, 20),  # to the end: a jump is what never holds
        *((D_GE, 8, 20, port), (D_LE, 8, 12, port)),
    ]
    code = b""
    for kind, holds, fails, *compared in operations:
        code += OPERATION.pack(kind, holds, fails)
        code += b"".join(OPERATION.pack(0, 0, one) for one in compared)
    return struct.pack("=HH", 4 + len(code), INET_DIAG_REQ_BYTECODE) + code


def answered(message: memoryview) -> TcpSocket:
    fields = ANSWER.unpack_from(message, HEAD.size)
    _, state, local, remote, here, there, _, _, unread, unacknowledged, _, inode = fields
    ports = int.from_bytes(local, "big"), int.from_bytes(remote, "big")
    if state == LISTEN:
        unacknowledged = 0  # here it is how many places the queue has
    return TcpSocket(*ports, (here.hex(), there.hex()), state, unacknowledged, unread, inode)


def in_proc(name: str, port: int) -> Iterator[TcpSocket]:
    """The rows of /proc/net/<name> (proc_net_tcp.rst in the kernel's documentation)."""
    with contextlib.suppress(OSError), open(f"/proc/net/{name}", encoding="ascii") as file:
        yield from rows(file.read(), port)


def rows(text: str, port: int) -> Iterator[TcpSocket]:
    for line in text.splitlines():
        if f":{port:04X} " not in line:
            continue
        words = line.split()
        (here, local), (there, remote) = (end.split(":") for end in words[1:3])
        unacknowledged, unread = (int(count, 16) for count in words[4].split(":"))
        ports = int(local, 16), int(remote, 16)
        state, inode = int(words[3], 16), int(words[9])
        yield TcpSocket(*ports, (here, there), state, unacknowledged, unread, inode)
