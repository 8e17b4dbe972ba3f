"""A right tiny Redis: a thread for each client, and files in place of buffers."""

import contextlib
import socket
import sys
import threading
import time


def serve(listener):
    store, lock = {}, threading.Lock()

    def bulk(word):
        return b"$%d\r\n%b\r\n" % (len(word), word)

    def answer(name, *args):
        with lock:
            if (name, len(args)) == ("PING", 0):
                return b"+PONG\r\n"
            if (name, len(args)) == ("ECHO", 1):
                return bulk(args[0])
            if name == "SET" and len(args) in (2, 4):
                lasts = int(args[3]) / 1000 if len(args) == 4 else 1e9
                store[args[0]] = args[1], time.monotonic() + lasts
                return b"+OK\r\n"
            if (name, len(args)) == ("GET", 1):
                value, ends = store.get(args[0], (b"", 0))
                return bulk(value) if time.monotonic() < ends else b"$-1\r\n"
        raise LookupError

    def talk(sock):
        with sock, sock.makefile("rb") as reads, contextlib.suppress(OSError, ValueError):
            while line := reads.readline():
                words = line.split()
                if line[:1] == b"*":
                    words = []
                    for _ in range(int(line[1:])):
                        words.append(reads.read(int(reads.readline()[1:])))
                        reads.read(2)
                try:
                    said = answer(words[0].decode("latin-1").upper(), *words[1:])
                except (LookupError, ValueError):
                    said = b"-ERR no\r\n"
                sock.sendall(said)

    while True:
        sock, _ = listener.accept()
        threading.Thread(target=talk, args=(sock,), daemon=True).start()


if __name__ == "__main__":
    serve(socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128))
