"""Measure many servers at once, in a few processes.

What compare() and ordeal() do with a server is mostly waiting for it to come to rest.  So some
of them are measured at a time, and what one computes does not take another's turn at the
interpreter's lock.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from echo.lab.measure.costs import python

PROCESSES = 4  # with fewer servers it is not worth the time that they take to start
TOO_LONG = 100.0  # seconds that one may take, on a machine that is very busy

MEASURES = """
import importlib, json
from echo.lab.measure.{module} import {function}
servers = [importlib.import_module(name) for name in {names!r}]
print(json.dumps([{function}(server.serve) for server in servers]))
"""


def each(module: str, function: str, serves: Sequence[Callable[..., Any]]) -> list[Any]:
    """What echo.lab.measure.<module>.<function>(serve) returns for each server, as JSON keeps it.

    An empty list where it is not worth it, or where another process could not import them: for
    few servers, and for functions of a notebook or of the zoo.  Raises RuntimeError if a process
    fails or takes too long, with its last word.
    """
    names = [name for serve in serves if (name := importable(serve))]
    if len(names) < max(PROCESSES, len(serves)):
        return []

    def some(names: list[str]) -> dict[str, Any]:
        program = MEASURES.format(module=module, function=function, names=names)
        command = python(program)
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TOO_LONG
            )
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"not measured after {TOO_LONG:g} seconds: {names}") from None
        if done.returncode:
            last = (done.stderr.splitlines() or ["no word"])[-1]
            raise RuntimeError(f"could not measure {names}: {last}")
        return dict(zip(names, json.loads(done.stdout), strict=True))

    found: dict[str, Any] = {}
    with ThreadPoolExecutor(PROCESSES) as pool:
        for part in pool.map(some, [names[first::PROCESSES] for first in range(PROCESSES)]):
            found |= part
    return [found[name] for name in names]


def importable(serve: Callable[..., Any]) -> str:
    """The name of the module whose serve() it is, or "" if no other process finds it there."""
    name = getattr(serve, "__module__", "")
    ours = name.startswith("echo.") and getattr(sys.modules.get(name), "serve", None) is serve
    return name if ours else ""
