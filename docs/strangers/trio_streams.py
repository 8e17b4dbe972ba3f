"""An echo server on trio that catches no error: python trio_streams.py PORT"""

import sys

import trio


async def echo(stream):
    async for data in stream:
        await stream.send_all(data)


trio.run(lambda: trio.serve_tcp(echo, int(sys.argv[1]), host="127.0.0.1"))
