"""A tiny Redis on epoll(7): PING, ECHO, SET with PX, GET, and what redis-benchmark asks first.

It is the echo server of lesson 05 with another Connection: what a client has sent is a command,
and what it is owed is the answer.
"""

import select
import time

from echo.accept import accept_all
from echo.connection import HIGH_WATER, READ, Connection


class Caller(Connection):
    def __init__(self, sock, store):
        super().__init__(sock)
        self.store = store  # key -> (value, when it ends), for all callers
        self.rest = b""  # received, and not yet answered

    def receive(self):
        try:
            data = self.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            self.lost()
            return
        self.eof = not data
        self.rest += data
        work(self)

    def send(self):
        super().send()
        work(self)  # perhaps there is room again

    def lost(self):
        super().lost()
        self.rest = b""


def serve(listener):
    listener.setblocking(False)
    callers, store = {}, {}
    poller = select.epoll()
    poller.register(listener, READ)
    while True:
        for fd, event in poller.poll():
            if fd == listener.fileno():
                for conn in accept_all(listener):
                    callers[conn.fileno()] = Caller(conn.sock, store)
                    poller.register(conn, READ)
                continue
            caller = callers[fd]
            if event & READ:
                caller.receive()
            if caller.unsent:
                caller.send()
            if not caller.wanted():
                del callers[fd]
                poller.unregister(fd)
                caller.sock.close()
            elif caller.wanted() != caller.interest:
                caller.interest = caller.wanted()
                poller.modify(fd, caller.interest)


def work(caller):
    while caller.rest and len(caller.unsent) < HIGH_WATER:
        try:
            words, caller.rest = next_command(caller.rest)
        except ValueError:  # a length that is no number: where would the next command begin?
            caller.lost()
            return
        if words is None:
            return
        if words:
            caller.unsent += answer(words, caller.store)


def next_command(data):
    line, end, rest = data.partition(b"\n")
    if not end:
        return None, data
    if not line.startswith(b"*"):
        return line.split(), rest
    words = []
    for _ in range(int(line[1:])):
        line, end, rest = rest.partition(b"\n")
        size = int(line[1:]) if end else 0
        if not end or len(rest) < size + 2:
            return None, data
        words.append(rest[:size])
        rest = rest[size + 2 :]
    return words, rest


def answer(words, store):
    match words[0].upper(), words[1:]:
        case b"PING", []:
            return b"+PONG\r\n"
        case b"ECHO", [word]:
            return bulk(word)
        case b"SET", [key, value]:
            store[key] = value, None
            return b"+OK\r\n"
        case b"SET", [key, value, unit, ms] if unit.upper() == b"PX" and ms.isdigit():
            store[key] = value, time.monotonic() + int(ms) / 1000
            return b"+OK\r\n"
        case b"GET", [key]:
            return get(key, store)
        case b"CONFIG", [_, key]:
            return b"*2\r\n" + bulk(key) + bulk(b"")
    return b"-ERR unknown command, or a wrong number of words\r\n"


def bulk(word):
    return b"$%d\r\n%s\r\n" % (len(word), word)


def get(key, store):
    value, ends = store.get(key, (None, None))
    if ends is not None and ends <= time.monotonic():
        del store[key]
        value = None
    return b"$-1\r\n" if value is None else bulk(value)
