"""A right chat server: closures and dicts on poll(), that rebuilds its list in each turn."""

import select
import socket
import sys


def serve(listener):
    listener.setblocking(False)
    socks, names, heard, owed, gone = {}, {}, {}, {}, set()

    def say(fd, text):
        owed[fd] += text.encode() + b"\n"
        if len(owed[fd]) > 900_000:
            gone.add(fd)

    def tell(text, but=None):
        for fd in names:
            if fd != but:
                say(fd, text)

    def hear(fd, text):
        if not text:
            return
        if fd in names:
            tell(f"{names[fd]}: {text}", fd)
        else:
            say(fd, f"* here: {', '.join(names.values())}")
            tell(f"* {text} joined")
            names[fd] = text

    def read(fd):
        try:
            data = socks[fd].recv(10_000)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        heard[fd] += data
        *lines, heard[fd] = heard[fd].split(b"\n")
        if not data or len(heard[fd]) > 1001:
            gone.add(fd)
        for line in lines:
            try:
                line = line.removesuffix(b"\r")
                if len(line) > 1000:
                    raise ValueError
                hear(fd, line.decode())
            except ValueError:
                gone.add(fd)
                return

    def write(fd):
        try:
            owed[fd] = owed[fd][socks[fd].send(owed[fd]) :]
        except BlockingIOError:
            pass
        except OSError:
            gone.add(fd)

    while True:
        poller = select.poll()
        poller.register(listener, select.POLLIN)
        for fd in socks:
            poller.register(fd, select.POLLIN | (select.POLLOUT if owed[fd] else 0))
        for fd, events in poller.poll():
            if fd == listener.fileno():
                try:
                    sock, _ = listener.accept()
                except OSError:
                    continue
                sock.setblocking(False)
                socks[sock.fileno()] = sock
                heard[sock.fileno()] = owed[sock.fileno()] = b""
                say(sock.fileno(), "name?")
            else:
                if events & ~select.POLLOUT:
                    read(fd)
                if events & select.POLLOUT and fd not in gone:
                    write(fd)
        while gone:
            fd = gone.pop()
            socks.pop(fd).close()
            del heard[fd], owed[fd]
            name = names.pop(fd, None)
            if name is not None:
                tell(f"* {name} left")


if __name__ == "__main__":
    serve(socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128))
