"""What check() says of a server, and how long it may take for that."""

import contextlib
import io
import time

from echo.lab import check
from echo.lab.run import server as server_module

AT_MOST = 60  # seconds that check() may take on a busy machine, whatever it is given


def said(serve, **options):
    """What it prints; it must not take long, and leave nothing behind."""
    began = time.monotonic()
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        check(serve, **options)
    assert time.monotonic() - began < AT_MOST
    assert not server_module.servers
    return printed.getvalue()


def returns(listener):
    with listener.accept()[0] as sock:
        sock.sendall(sock.recv(1000))


def echoes_once(listener):
    with listener.accept()[0] as sock:
        sock.sendall(sock.recv(1000))
        listener.accept()[0].close()
