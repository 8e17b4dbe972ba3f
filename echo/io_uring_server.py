"""An echo server on io_uring(7): one thread, many clients, and the kernel does the work.

There is no interest list.  Each client has one operation under way, a recv() or a send() that the
kernel finishes when it can.  When it reports a recv(), the bytes are already there.  We call
accept() as in the other servers: the ring only tells us that a client is waiting.
"""

import contextlib
import errno

from echo.accept import accept_all
from echo.connection import READ
from echo.pool import Pool
from echo.ring import POLL, RECV, SEND, Ring


def serve(listener):
    """Echo to every client of `listener`, forever."""
    listener.setblocking(False)
    connections = {}  # fd -> Connection
    with contextlib.closing(Ring()) as ring:
        pool = Pool(ring)
        ring.submit(POLL, listener.fileno(), flags=READ)

        while True:
            for operation, fd, result, flags in ring.wait():  # sleeps
                if operation == POLL:
                    for conn in accept_all(listener):
                        connections[conn.fileno()] = conn
                        pool.receive(conn.fileno())
                    ring.submit(POLL, fd, flags=READ)
                    continue

                conn = connections[fd]
                if operation == RECV and result >= 0:
                    conn.received(pool.take(result, flags))
                elif operation == SEND and result >= 0:
                    conn.sent(result)
                elif result != -errno.ENOBUFS:  # a reset: there is nobody left to echo to
                    conn.lost()

                if conn.unsent:
                    ring.submit(SEND, fd, conn.unsent)
                elif conn.wanted():
                    pool.receive(fd)
                else:
                    del connections[fd]
                    conn.sock.close()
