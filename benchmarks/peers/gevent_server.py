"""An echo server on gevent, a greenlet a client: python gevent_server.py PORT"""

import contextlib
import socket
import sys

from gevent.server import StreamServer


def echo(sock, address):
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as all the others do
    with contextlib.suppress(OSError):  # a reset
        while data := sock.recv(256 * 1024):
            sock.sendall(data)


StreamServer(("127.0.0.1", int(sys.argv[1])), echo).serve_forever()
