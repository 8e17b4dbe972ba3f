"""An echo server that never waits: one thread, many clients, a whole processor.

There is no interest list.  Nothing tells us which client is ready, so we keep asking all of them.
"""

from echo.accept import accept_all
from echo.connection import READ


def serve(listener):
    """Serve the clients of `listener`, all at once, forever."""
    listener.setblocking(False)
    connections = {}  # fd -> Connection

    while True:
        for conn in accept_all(listener):
            connections[conn.fileno()] = conn

        for fd, conn in list(connections.items()):
            if conn.wanted() & READ:
                conn.receive()  # most of the time: EAGAIN
            if conn.unsent:
                conn.send()

            if not conn.wanted():
                del connections[fd]
                conn.sock.close()
