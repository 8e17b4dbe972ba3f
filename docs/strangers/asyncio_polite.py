"""An echo server that ends politely on SIGTERM: python asyncio_polite.py PORT"""

import asyncio
import signal
import sys


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def main():
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    server = await asyncio.start_server(echo, "127.0.0.1", int(sys.argv[1]))
    await told.wait()
    server.close()  # no new clients
    clients = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*clients)  # those who are here may stay until they leave


asyncio.run(main())
