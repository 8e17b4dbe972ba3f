"""An echo server that simply waits: one thread, one client at a time.

The thread sleeps in whichever call has nothing to return yet.  While it waits for one client,
it cannot wait for another.
"""

from echo.accept import accept


def serve(listener):
    """Serve the clients of `listener`, one after another, forever."""
    while True:
        with accept(listener) as sock:  # sleeps until a client connects
            echo(sock)


def echo(sock):
    """Send back what one client sends, until it has finished or is gone."""
    try:
        while data := sock.recv(64 * 1024):  # sleeps until it sends something
            sock.sendall(data)  # sleeps until the kernel has taken every byte
    except OSError:
        pass  # a reset: the client is gone
