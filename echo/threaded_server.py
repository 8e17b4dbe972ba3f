"""An echo server that waits in many places at once: one thread for each client.

There is no interest list.  Each thread sleeps in its own recv() or send(), and the kernel wakes
the one whose client has sent something or has made room.
"""

import threading

from echo.accept import accept
from echo.blocking_server import echo


def serve(listener):
    """Serve the clients of `listener`, all at once, forever."""
    while True:
        sock = accept(listener)  # sleeps until a client connects
        try:
            threading.Thread(target=serve_one, args=[sock], daemon=True).start()
        except RuntimeError:  # the system can't start another thread; the others go on
            sock.close()


def serve_one(sock):
    with sock:
        echo(sock)
