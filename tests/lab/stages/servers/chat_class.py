"""A right chat server: a class on selectors, that answers in the turn in which it hears."""

import selectors
import socket
import sys
from selectors import EVENT_READ, EVENT_WRITE


class Chat:
    def __init__(self, listener):
        self.selector = selectors.DefaultSelector()
        self.people = []
        listener.setblocking(False)
        self.selector.register(listener, EVENT_READ, self.accept)

    def run(self):
        while True:
            for key, events in self.selector.select():
                key.data(key.fileobj, events)

    def accept(self, listener, events):
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        sock.setblocking(False)
        Person(self, sock)

    def tell(self, text, but=None):
        for person in list(self.people):
            if person is not but:
                person.say(text)


class Person:
    def __init__(self, chat, sock):
        self.chat, self.sock, self.name = chat, sock, None
        self.heard, self.owed, self.gone = bytearray(), bytearray(), False
        chat.selector.register(sock, EVENT_READ, self.ready)
        self.say("name?")

    def say(self, text):
        if self.gone:
            return
        self.owed += text.encode() + b"\n"
        self.flush()
        if len(self.owed) > 500_000:
            self.leave()

    def flush(self):
        try:
            while self.owed:
                del self.owed[: self.sock.send(self.owed)]
        except BlockingIOError:
            pass
        except OSError:
            self.leave()
            return
        if not self.gone:
            mask = EVENT_READ | EVENT_WRITE if self.owed else EVENT_READ
            self.chat.selector.modify(self.sock, mask, self.ready)

    def leave(self):
        if not self.gone:
            self.gone = True
            self.chat.selector.unregister(self.sock)
            self.sock.close()
            if self in self.chat.people:
                self.chat.people.remove(self)
                self.chat.tell(f"* {self.name} left")

    def ready(self, sock, events):
        if self.gone:
            return
        if events & EVENT_WRITE:
            self.flush()
        if events & EVENT_READ and not self.gone:
            try:
                data = sock.recv(4096)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self.leave()
            self.heard += data
            self.lines()

    def lines(self):
        while not self.gone:
            end = self.heard.find(b"\n")
            so_far = self.heard if end < 0 else self.heard[:end]
            if len(so_far.removesuffix(b"\r")) > 1000:
                self.leave()
            if end < 0 or self.gone:
                return
            line, self.heard = bytes(self.heard[:end]), self.heard[end + 1 :]
            try:
                self.hear(line.decode().removesuffix("\r"))
            except UnicodeDecodeError:
                self.leave()

    def hear(self, text):
        if not text:
            return
        if self.name is not None:
            self.chat.tell(f"{self.name}: {text}", but=self)
            return
        self.name = text
        self.say("* here: " + ", ".join(person.name for person in self.chat.people))
        self.chat.tell(f"* {text} joined")
        self.chat.people.append(self)


def serve(listener):
    Chat(listener).run()


if __name__ == "__main__":
    serve(socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128))
