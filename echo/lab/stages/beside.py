"""Your Redis beside the real one: what redis-benchmark says of both, as a ratio."""

import shutil
from typing import Any

from echo.lab.conformance import Failed, is_stub
from echo.lab.run.process import NotAsked, Process, Unusable
from echo.lab.run.server import start
from echo.lab.stages.talk import Conversation
from echo.lab.stages.tiny_redis import rates

REDIS_SERVER = "redis-server --port {port} --bind 127.0.0.1 --save '' --appendonly no"


def beside_redis(serve: Any) -> None:
    """Print how many requests redis-server answers in the time in which yours answers one.

    By redis-benchmark, with 50 clients and 16 commands of each on their way.  Where Redis is not
    installed, prints that it was not asked.
    """
    if serve is ... or is_stub(serve):
        print("Not attempted yet: replace the ... in serve().")
        return
    for program in ("redis-server", "redis-benchmark"):
        if not shutil.which(program):
            print(f"not asked: {program} is not installed")
            return
    server = start(serve)
    try:
        yours = rates(Conversation(server))
    except (Failed, NotAsked) as reason:
        print(reason)
        return
    finally:
        server.end()
    try:
        process = Process(REDIS_SERVER)
    except Unusable as reason:
        print(f"not asked: {reason}")
        return
    try:
        theirs = rates(Conversation(process))
    finally:
        process.end()
    print("While your server answers one request, redis-server answers about:")
    for kind, rate in yours.items():
        print(f"    {theirs[kind] / rate:5.1f}  {kind}")
