"""An echo server on edge-triggered epoll(7): one thread, many clients.

The interest list lives in the kernel and never changes.  It reports once that something has
come, or that there is room again, and is silent until more comes.  So whoever has been named
stays in `ready` until recv() or send() has said EAGAIN; each has one of both a turn, and
nobody with more to say keeps us from the others.
"""

import select

from echo.accept import accept_all
from echo.connection import READ, WRITE


def serve(listener):
    """Echo to every client of `listener`, forever."""
    listener.setblocking(False)
    connections = {}  # fd -> Connection
    ready = set()  # fds that the kernel has named and that have not said EAGAIN since
    poller = select.epoll()
    poller.register(listener, READ | select.EPOLLET)

    while True:
        events = poller.poll(0 if ready else None)  # sleeps once nobody is ready
        ready.update(fd for fd, _ in events)
        for fd in list(ready):
            if fd == listener.fileno():
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
