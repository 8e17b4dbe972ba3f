"""Two events of one client in one turn of a proxy's loop, in an order that is known.

both_in_one_turn(server, client, back)    # its event for `client` comes first
"""

import contextlib
import socket
from collections.abc import Iterator

from echo.lab.kernel.sockets import ends_here, queues, state
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
    come about.
    """
    sent = came = 0
    with near_end(first) as one, near_end(second) as other:
        second.shutdown(socket.SHUT_WR)
        while sent <= in_the_kernel(first, one, second, other):
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
            while in_the_kernel(second, other):
                with contextlib.suppress(BlockingIOError):
                    came += len(second.recv(PIECE, socket.MSG_DONTWAIT))
    knock.close()
    return sent - came


@contextlib.contextmanager
def near_end(peer: socket.socket) -> Iterator[socket.socket]:
    """The proxy's end of its connection to `peer`, to look at.  Raises OSError if it is closed."""
    for fd in ends_here(peer.getpeername()[1]):
        end = socket.socket(fileno=fd)
        try:
            if end.getpeername() == peer.getsockname():
                yield end
                return
        finally:
            end.detach()  # it is the proxy's to close
    raise OSError("the proxy has closed its end")


def in_the_kernel(*sockets: socket.socket) -> int:
    """Bytes that lie in the kernel, of connections of which both ends are given."""
    return sum(sum(queues(sock)[:2]) for sock in sockets)
