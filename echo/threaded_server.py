"""An echo server that waits in many places at once: one thread for each client.

There is no interest list.  Each thread sleeps in its own recv() or send(), and the kernel's
scheduler wakes the one whose client has moved.
"""

import threading

from echo.accept import accept
from echo.blocking_server import echo


def serve(listener):
    """Echo to every client of `listener`, for ever."""
    while True:
        sock = accept(listener)  # sleeps until somebody connects
        try:
            threading.Thread(target=serve_one, args=[sock], daemon=True).start()
        except RuntimeError:  # the system has no thread for this client; the others have theirs
            sock.close()


def serve_one(sock):
    with sock:
        echo(sock)
