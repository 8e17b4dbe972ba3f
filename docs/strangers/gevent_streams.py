"""An echo server on gevent: python gevent_streams.py PORT"""

import sys

from gevent.server import StreamServer


def echo(sock, address):
    while data := sock.recv(65536):
        sock.sendall(data)


StreamServer(("127.0.0.1", int(sys.argv[1])), echo).serve_forever()
