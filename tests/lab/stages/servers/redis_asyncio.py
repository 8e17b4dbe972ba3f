"""A right tiny Redis, written with asyncio's streams: it waits for what it needs next."""

import asyncio
import socket
import sys
import time


async def words_of(reader):
    line = await reader.readline()
    if not line.startswith(b"*"):
        return line.split() if line.endswith(b"\n") else None
    words = []
    for _ in range(int(line[1:])):
        size = int((await reader.readline())[1:])
        words.append((await reader.readexactly(size + 2))[:-2])
    return words


def answer(words, store):
    name = words[0].upper() if words else b""
    if name == b"PING" and len(words) == 1:
        return b"+PONG\r\n"
    if name == b"ECHO" and len(words) == 2:
        return b"$%d\r\n%s\r\n" % (len(words[1]), words[1])
    if name == b"SET" and len(words) == 3:
        store[words[1]] = words[2], float("inf")
        return b"+OK\r\n"
    if name == b"SET" and len(words) == 5 and words[4].isdigit():
        store[words[1]] = words[2], time.monotonic() + int(words[4]) / 1000
        return b"+OK\r\n"
    if name == b"GET" and len(words) == 2:
        value, ends = store.get(words[1], (None, 0))
        if ends <= time.monotonic():
            return b"$-1\r\n"
        return b"$%d\r\n%s\r\n" % (len(value), value)
    return b"-ERR what is that?\r\n"


async def main(listener):
    store = {}

    async def caller(reader, writer):
        try:
            while (words := await words_of(reader)) is not None:
                writer.write(answer(words, store))
                await writer.drain()
        except (ValueError, OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(caller, sock=listener, limit=1 << 22)
    async with server:
        await server.serve_forever()


def serve(listener):
    listener.setblocking(False)
    asyncio.run(main(listener))


if __name__ == "__main__":
    serve(socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128))
