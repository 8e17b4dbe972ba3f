"""An echo server on edge-triggered epoll(7): one thread, many clients.

The interest list lives in the kernel, and no entry changes.  epoll reports once that bytes have
come, or that there is room again, and not again until more comes.  So a reported client stays
in `ready` until recv() or send() says EAGAIN.  In one turn of the loop it gets at most one of
each, so a client that keeps sending cannot hold up the others.
"""

import select

from echo.accept import accept_all
from echo.connection import READ, WRITE


def serve(listener):
    """Echo to every client of `listener`, forever."""
    listener.setblocking(False)
    listener_fd = listener.fileno()
    connections = {}  # fd -> Connection
    ready = set()  # fds that epoll has reported and that have not said EAGAIN since
    poller = select.epoll()
    poller.register(listener, READ | select.EPOLLET)

    while True:
        events = poller.poll(0 if ready else None)  # sleeps when no fd is ready
        ready.update(fd for fd, _ in events)
        for fd in list(ready):
            if fd == listener_fd:
                for conn in accept_all(listener):  # until EAGAIN
                    connections[conn.fileno()] = conn
                    poller.register(conn, READ | WRITE | select.EPOLLET)
                ready.remove(fd)
                continue

            conn = connections[fd]
            moved = conn.wanted() & READ and conn.receive()
            if conn.unsent:
                moved = conn.send() or moved

            if not conn.wanted():
                ready.remove(fd)
                poller.unregister(fd)
                del connections[fd]
                conn.sock.close()
            elif not moved:
                ready.remove(fd)
