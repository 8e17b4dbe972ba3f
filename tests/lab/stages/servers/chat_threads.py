"""A right chat server: two threads for each client, one that reads and one that writes."""

import contextlib
import queue
import socket
import sys
import threading

LINES = 500  # that a client may be behind


def serve(listener):
    lock = threading.Lock()
    names = {}  # queue of a client -> its name
    socks = {}

    def tell(text, but=None):
        for waiting in list(names):
            if waiting is not but:
                try:
                    waiting.put_nowait(text)
                except queue.Full:
                    hang_up(socks[waiting])

    def hang_up(sock):
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    def write(sock, waiting):
        with contextlib.suppress(OSError):
            while (text := waiting.get()) is not None:
                sock.sendall(text.encode() + b"\n")
        hang_up(sock)

    def read(sock):
        waiting = queue.Queue(LINES)
        waiting.put("name?")
        writer = threading.Thread(target=write, args=(sock, waiting), daemon=True)
        writer.start()
        lines = sock.makefile("rb")
        with contextlib.suppress(OSError, ValueError):
            while line := lines.readline(1002):
                if not line.endswith(b"\n"):
                    break
                line = line[:-1].removesuffix(b"\r")
                if len(line) > 1000:
                    break
                if not (text := line.decode()):
                    continue
                with lock:
                    if waiting in names:
                        tell(f"{names[waiting]}: {text}", waiting)
                    else:
                        waiting.put(f"* here: {', '.join(names.values())}")
                        tell(f"* {text} joined")
                        names[waiting], socks[waiting] = text, sock
        with lock:
            name = names.pop(waiting, None)
            socks.pop(waiting, None)
            if name is not None:
                tell(f"* {name} left")
        hang_up(sock)
        while True:
            try:
                waiting.put_nowait(None)
                break
            except queue.Full:
                waiting.get_nowait()
        writer.join()
        lines.close()
        sock.close()

    while True:
        sock, _ = listener.accept()
        threading.Thread(target=read, args=(sock,), daemon=True).start()


if __name__ == "__main__":
    serve(socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128))
