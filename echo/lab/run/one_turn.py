"""Two events of one client in one turn of a proxy's loop, in an order that is known.

both_in_one_turn(server, client, back)    # its event for `client` comes first
"""

import contextlib
import socket

from echo.lab.kernel.sockets import held_by_the_kernel, state
from echo.lab.run.rest import settle, until
from echo.lab.run.server import Server

PIECE = 128 * 1024  # bytes sent at once: less than a proxy may hold and still read on
BEYOND = 64 * 1024 * 1024  # bytes: more than the kernel takes on behalf of one that does not read
UNCONFIRMED = {"FIN_WAIT1", "CLOSING", "LAST_ACK"}  # the other side does not have our FIN yet


def both_in_one_turn(server: Server, first: socket.socket, second: socket.socket) -> int:
    """Have a proxy learn in one turn that `first` has finished and that `second` has room again.

    `first`, `second`: the far ends of the proxy's two connections for one client.  `second`
    finishes before that.  So when the proxy has passed on what it owes `second`, it is done with
    both, and it still has an event of `second` to come.
    Returns how many bytes `second` is still to receive.  Raises TimeoutError if that does not
    come about, and another OSError if the proxy closes one of the two before.
    """
    sent = came = 0
    second.shutdown(socket.SHUT_WR)
    while sent <= under_way(first) + under_way(second):
        if sent > BEYOND:
            raise TimeoutError("the proxy owes nothing, however much it is sent")
        first.sendall(bytes(PIECE))
        sent += PIECE
        settle(server)
    with server.hold():  # its thread waits in accept(), and sees only afterwards what happens
        knock = server.connect()
        until(lambda: server.gate.reached)
        first.shutdown(socket.SHUT_WR)
        until(lambda: state(first) not in UNCONFIRMED)
        while under_way(second):
            with contextlib.suppress(BlockingIOError):
                came += len(second.recv(PIECE, socket.MSG_DONTWAIT))
    knock.close()
    return sent - came


def under_way(end: socket.socket) -> int:
    """Bytes of its connection to the proxy that lie in the kernel, in either direction."""
    count = held_by_the_kernel(end, end.getpeername()[1])
    if count is None:
        raise OSError("the proxy has closed a connection too early")
    return count
