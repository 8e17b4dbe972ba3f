"""A right chat server, written with asyncio's streams."""

import asyncio
import socket
import sys

MOST = 1_000_000


async def main(listener):
    names = {}  # writer -> name

    def tell(text, but=None):
        for writer in list(names):
            if writer is not but and not writer.is_closing():
                writer.write(text.encode() + b"\n")
                if writer.transport.get_write_buffer_size() > MOST:
                    writer.transport.abort()

    async def guest(reader, writer):
        writer.write(b"name?\n")
        try:
            while line := await reader.readline():
                line, end = line.removesuffix(b"\n").removesuffix(b"\r"), line[-1:]
                if len(line) > 1000 or end != b"\n":
                    break
                text = line.decode()
                if not text:
                    continue
                if writer in names:
                    tell(f"{names[writer]}: {text}", but=writer)
                else:
                    writer.write(f"* here: {', '.join(names.values())}\n".encode())
                    tell(f"* {text} joined")
                    names[writer] = text
        except (ValueError, OSError, asyncio.CancelledError):
            pass
        finally:
            name = names.pop(writer, None)
            writer.close()
            if name:
                tell(f"* {name} left")

    server = await asyncio.start_server(guest, sock=listener, limit=2000)
    async with server:
        await server.serve_forever()


def serve(listener):
    listener.setblocking(False)
    asyncio.run(main(listener))


if __name__ == "__main__":
    serve(socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128))
