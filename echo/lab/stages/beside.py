"""Your Redis beside the real one: how long each computes for what redis-benchmark asks."""

import shutil
from typing import Any

from echo.lab.conformance import Failed, is_stub
from echo.lab.run.process import NotAsked, Process, Unusable
from echo.lab.run.server import Server, start
from echo.lab.stages.talk import Conversation
from echo.lab.stages.tiny_redis import BENCHMARKED, benchmark

REDIS_SERVER = "redis-server --port {port} --bind 127.0.0.1 --save '' --appendonly no"


def beside_redis(serve: Any) -> None:
    """Print how many times as long your server computes for the same requests as redis-server.

    They are those of redis-benchmark, with 50 clients and 16 commands of each on their way.  What
    is compared is processor time (man 3 pthread_getcpuclockid): requests per second would say
    more about redis-benchmark, and about what else the machine has to do.  Where Redis is not
    installed, prints that it was not asked.
    """
    if serve is ... or is_stub(serve):
        print(f"Not attempted yet: replace the ... in {getattr(serve, '__name__', 'redis')}().")
        return
    for program in ("redis-server", "redis-benchmark"):
        if not shutil.which(program):
            print(f"not asked: {program} is not installed")
            return
    try:
        yours, theirs = computes(start(serve)), computes(Process(REDIS_SERVER))
    except (Failed, NotAsked) as reason:
        print(reason)
    except Unusable as reason:
        print(f"not asked: {reason}")
    else:
        print(
            f"For the same {BENCHMARKED:,} requests, your server computes about "
            f"{yours / theirs:.2g} times as long as redis-server."
        )


def computes(server: Server | Process) -> float:
    """Seconds of processor time that a server takes for the benchmark.  Raises Failed, NotAsked."""
    try:
        before = server.cpu()
        benchmark(Conversation(server))
        return server.cpu() - before
    finally:
        server.end()
