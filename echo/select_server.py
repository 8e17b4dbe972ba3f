"""An echo server on select(2): one thread, many clients.

The interest list is two sets of ours, and select() sends both to the kernel on every call.
It cannot express a descriptor above 1023.
"""

import select

from echo.accept import accept_all
from echo.connection import READ, WRITE

FD_SETSIZE = 1024  # of libc and of Python, not of the kernel


def serve(listener):
    """Echo to every client of `listener`, forever."""
    listener.setblocking(False)
    listener_fd = listener.fileno()
    connections = {}  # fd -> Connection
    reading = {listener_fd}
    writing = set()

    while True:
        readable, writable, _ = map(set, select.select(reading, writing, []))  # sleeps
        for fd in readable | writable:
            if fd == listener_fd:
                for conn in accept_all(listener):
                    if conn.fileno() >= FD_SETSIZE:
                        conn.sock.close()
                        continue
                    connections[conn.fileno()] = conn
                    reading.add(conn.fileno())
                continue

            conn = connections[fd]
            if fd in readable:
                conn.receive()
            if conn.unsent:  # most of the time there is room: try before you ask
                conn.send()

            wanted = conn.wanted()
            if wanted & READ:
                reading.add(fd)
            else:
                reading.discard(fd)
            if wanted & WRITE:
                writing.add(fd)
            else:
                writing.discard(fd)
            if not wanted:
                del connections[fd]
                conn.sock.close()
