"""A chat server on epoll(7), as the last stage of lesson 10 leaves it: one thread, one room.

A client's first line is its name.  Each later line goes to all the others.
"""

import select

from echo.accept import accept_all
from echo.connection import READ, WRITE, Connection

LONGEST = 1000  # bytes of a line
MOST = 1_000_000  # bytes that we keep for a guest who does not read


class Guest(Connection):
    def __init__(self, sock, room):
        super().__init__(sock)
        self.room = room  # fd -> Guest, for all who are here
        self.name = None
        self.rest = b""  # the beginning of a line

    def receive(self):
        if self.eof:  # dropped in this turn: not to be heard any more
            return
        try:
            data = self.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            self.lost()
            return
        self.eof = not data
        take(self, data)

    def wanted(self):
        return READ | WRITE * bool(self.unsent)


def serve(listener):
    listener.setblocking(False)
    room = {}
    poller = select.epoll()
    poller.register(listener, READ)
    while True:
        for fd, event in poller.poll():
            if fd == listener.fileno():
                for conn in accept_all(listener):
                    guest = room[conn.fileno()] = Guest(conn.sock, room)
                    poller.register(guest, READ)
                    say(guest, "name?")
            elif event & READ:
                room[fd].receive()
        remove_those_who_left(room, poller)
        send_what_is_owed(room, poller)


def say(guest, text):
    guest.unsent += text.encode() + b"\n"
    if len(guest.unsent) > MOST:
        guest.lost()


def tell_others(guest, text):
    for other in guest.room.values():
        if other.name and other is not guest:
            say(other, text)


def take(guest, data):
    *lines, guest.rest = (guest.rest + data).split(b"\n")
    for line in lines:
        line = line.removesuffix(b"\r")
        if len(line) > LONGEST:
            guest.lost()
            return
        try:
            hear(guest, line.decode())
        except UnicodeDecodeError:
            guest.lost()
            return
    if len(guest.rest.removesuffix(b"\r")) > LONGEST:
        guest.lost()


def hear(guest, line):
    if not line:
        return
    if guest.name:
        tell_others(guest, f"{guest.name}: {line}")
        return
    names = [other.name for other in guest.room.values() if other.name]
    guest.name = line
    say(guest, "* here: " + ", ".join(names))
    tell_others(guest, f"* {line} joined")


def remove_those_who_left(room, poller):
    while gone := [guest for guest in room.values() if guest.eof]:
        for guest in gone:
            del room[guest.fileno()]
            poller.unregister(guest)
            guest.sock.close()
        for guest in gone:
            if guest.name:
                tell_others(guest, f"* {guest.name} left")


def send_what_is_owed(room, poller):
    for guest in room.values():
        if guest.unsent:
            guest.send()
        if guest.wanted() != guest.interest:
            guest.interest = guest.wanted()
            poller.modify(guest, guest.interest)
