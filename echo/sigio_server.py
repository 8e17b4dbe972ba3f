"""An echo server on signals: one thread, many clients, one signal for all of them.

The interest list is one flag on each socket, O_ASYNC: the kernel sends a signal to the socket's
owner.  The signal does not say which socket it was, and another one is dropped while the first is
pending.  So after each signal we ask every client, until none of them has anything to do.
"""

import fcntl
import os
import signal
import struct
import threading

from echo.accept import accept_all
from echo.connection import READ

F_SETOWN_EX, F_OWNER_TID = 15, 0  # from <asm-generic/fcntl.h>; Python has only F_SETOWN


def serve(listener):
    """Serve the clients of `listener`, all at once, forever."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGIO})  # or it would end the process
    listener.setblocking(False)
    connections = {}  # fd -> Connection
    notify(listener)

    while True:
        moved = True
        while moved:
            moved = False
            for conn in accept_all(listener):
                connections[conn.fileno()] = conn
                notify(conn)
                moved = True

            for fd, conn in list(connections.items()):
                if conn.wanted() & READ:
                    moved |= conn.receive()
                if conn.unsent:
                    moved |= conn.send()

                if not conn.wanted():
                    del connections[fd]
                    conn.sock.close()

        signal.sigwaitinfo({signal.SIGIO})  # sleeps


def notify(descriptor):
    """Have SIGIO sent to this thread when there is something to read, or room to write."""
    owner = struct.pack("ii", F_OWNER_TID, threading.get_native_id())
    fcntl.fcntl(descriptor, F_SETOWN_EX, owner)
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_ASYNC)
