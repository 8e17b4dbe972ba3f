"""An echo server with coroutines on epoll(7): one thread, many clients, each as if alone.

The interest list lives in the kernel.  For each descriptor on it we keep a coroutine that has
stopped at an `await`.  When the descriptor is ready, we resume its coroutine.
"""

import select
import types

from echo.accept import accept_all
from echo.connection import READ, RECV_SIZE, WRITE


async def echo(sock):
    """Send back what one client sends, until it has finished or has gone."""
    with sock:
        try:
            while data := await recv(sock):
                await sendall(sock, data)
                del data  # or each client's last message stays in memory until its next one
        except OSError:
            pass  # a reset: there is nobody left to echo to


async def greet(listener, spawn):
    """Give each client of `listener` a coroutine of its own."""
    while True:
        await until(READ)
        for conn in accept_all(listener):
            spawn(conn.sock, echo(conn.sock))


async def recv(sock):
    while True:
        await until(READ)  # to try first would nearly always fail here
        try:
            return sock.recv(RECV_SIZE)
        except BlockingIOError:
            pass  # readiness is only a hint


async def sendall(sock, data):
    while data:
        try:
            data = data[sock.send(data) :]  # most of the time there is room: try before you ask
        except BlockingIOError:
            await until(WRITE)


@types.coroutine
def until(event):
    """The only place where a coroutine stops: the event goes to the loop that resumed it."""
    yield event


def serve(listener):
    """Echo to every client of `listener`, forever."""
    listener.setblocking(False)
    coroutines = {}  # fd -> the coroutine that waits for it
    interest = {}  # fd -> the event it waits for
    poller = select.epoll()

    def spawn(sock, coroutine):
        fd = sock.fileno()
        coroutines[fd] = coroutine
        interest[fd] = coroutine.send(None)  # it runs up to its first await
        poller.register(fd, interest[fd])

    spawn(listener, greet(listener, spawn))
    while True:
        for fd, _ in poller.poll():  # sleeps
            try:
                wanted = coroutines[fd].send(None)  # it runs up to its next await
            except StopIteration:  # it has returned, and its socket is closed
                del coroutines[fd], interest[fd]
                continue
            if wanted != interest[fd]:
                poller.modify(fd, wanted)
                interest[fd] = wanted
