"""An echo server on io_uring(7): one thread, many clients, and the kernel does the work.

There is no interest list.  For each client one operation is on its way, a recv() or a send()
that the kernel finishes when it can; we hear of it when the bytes are already there.  Clients
are fetched by accept(), as ever: the ring only tells when somebody waits.
"""

import contextlib
import ctypes

from echo.accept import accept_all
from echo.connection import READ
from echo.ring import POLL, RECV, SEND, Ring

RECV_SIZE = 64 * 1024  # memory that each client needs, also while it is silent


def serve(listener):
    """Echo to every client of `listener`, for ever."""
    listener.setblocking(False)
    connections = {}  # fd -> Connection
    memory = {}  # fd -> where the kernel puts what arrives
    with contextlib.closing(Ring()) as ring:
        ring.submit(POLL, listener.fileno(), flags=READ)

        while True:
            for fd, result in ring.wait():  # sleeps
                if fd == listener.fileno():
                    for conn in accept_all(listener):
                        connections[conn.fileno()] = conn
                        memory[conn.fileno()] = ctypes.create_string_buffer(RECV_SIZE)
                        ring.submit(RECV, conn.fileno(), memory[conn.fileno()])
                    ring.submit(POLL, fd, flags=READ)
                    continue

                conn = connections[fd]
                if result < 0:  # -ECONNRESET: there is nobody left to echo to
                    conn.lost()
                elif conn.unsent:
                    conn.sent(result)
                else:
                    conn.received(memory[fd][:result])

                if conn.unsent:
                    ring.submit(SEND, fd, conn.unsent)
                elif conn.wanted():
                    ring.submit(RECV, fd, memory[fd])
                else:
                    del connections[fd], memory[fd]
                    conn.sock.close()
