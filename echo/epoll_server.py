"""An echo server on epoll(7): one thread, many clients.

The interest list lives in the kernel, in an epoll instance.  Changing it takes a system call,
but a wait hands over no list.
"""

import select

from echo.accept import accept_all
from echo.connection import READ


def serve(listener):
    """Echo to every client of `listener`, forever."""
    listener.setblocking(False)
    listener_fd = listener.fileno()
    connections = {}  # fd -> Connection
    poller = select.epoll()
    poller.register(listener, READ)

    while True:
        for fd, event in poller.poll():  # sleeps
            if fd == listener_fd:
                for conn in accept_all(listener):
                    connections[conn.fileno()] = conn
                    poller.register(conn, conn.interest)
                continue

            conn = connections[fd]
            if event & READ:
                conn.receive()
            if conn.unsent:  # most of the time there is room: try before you ask
                conn.send()

            wanted = conn.wanted()
            if not wanted:
                poller.unregister(fd)
                del connections[fd]
                conn.sock.close()
            elif wanted != conn.interest:
                poller.modify(fd, wanted)
                conn.interest = wanted
