"""An echo server that simply waits: one thread, one client at a time.

There is no interest list.  The thread sleeps in the call that needs something, and while it
waits for one client it cannot wait for another.
"""

from echo.accept import accept


def serve(listener):
    """Echo to every client of `listener`, one after the other, for ever."""
    while True:
        with accept(listener) as sock:  # sleeps until somebody connects
            echo(sock)


def echo(sock):
    """Send back what one client sends, until it has finished or has gone."""
    try:
        while data := sock.recv(64 * 1024):  # sleeps until it sends something
            sock.sendall(data)  # sleeps until the kernel has taken every byte
    except OSError:
        pass  # a reset: there is nobody left to echo to
