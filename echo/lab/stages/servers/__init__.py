"""Servers to judge: a reference for each series, and broken ones, each a change of it.

load("chat").serve
load("chat", "one_recv_is_one_line").serve
"""

import importlib
import types

from echo.lab.stages.servers.broken_chat import CHAT, Broken
from echo.lab.stages.servers.broken_chat_limits import CHAT_LIMITS
from echo.lab.stages.servers.broken_redis import REDIS
from echo.lab.zoo.changes import derive

__all__ = ["BROKEN", "REFERENCE", "Broken", "load"]

REFERENCE = {"chat": "lab.stages.servers.chat", "redis": "lab.stages.servers.tiny_redis"}
BROKEN = {"chat": CHAT | CHAT_LIMITS, "redis": REDIS}


def load(series: str, name: str = "") -> types.ModuleType:
    """The reference of a series, or a broken server: a module with serve(), and its text."""
    if not name:
        return importlib.import_module(f"echo.{REFERENCE[series]}")
    return derive(name, REFERENCE[series], BROKEN[series][name].changes)
