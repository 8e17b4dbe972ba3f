"""As little as Python can do for an echo on epoll(7): python shortest_loop.py PORT

This is no server but what Python leaves to any: its sockets block, so that one client that does
not read stops everybody.
"""

import select
import socket
import sys


def serve(listener):
    receive, answer, hang_up = {}, {}, {}  # fd -> what its socket does, found once and for all
    poller = select.epoll()
    poller.register(listener, select.EPOLLIN)
    first = listener.fileno()
    wait = poller.poll
    while True:
        for fd, _ in wait():
            if fd == first:
                sock, _ = listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                fd = sock.fileno()
                receive[fd], answer[fd], hang_up[fd] = sock.recv, sock.sendall, sock.close
                poller.register(fd, select.EPOLLIN)
                continue
            try:
                if data := receive[fd](256 * 1024):
                    answer[fd](data)
                    continue
            except OSError:
                pass
            hang_up[fd]()
            del receive[fd], answer[fd], hang_up[fd]


serve(socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=4096))
