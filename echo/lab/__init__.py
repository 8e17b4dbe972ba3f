"""The bench: starts, watches, draws and judges echo servers.

    from echo.lab import start, Tape, check

Each name below is imported from its module when it is first used.
"""

import importlib

from echo.lab import system

system.require()

NAMES = {
    "background": [
        "Crashed",
        "leftovers",
        "more_descriptors",
        "settle",
        "start",
        "watch",
        "where_is",
    ],
    "bad_clients": ["ordeal"],
    "comparison": ["compare"],
    "conformance": ["check", "examine"],
    "connections": ["lanes", "places"],
    "container": ["in_a_container"],
    "crowds": ["crowd"],
    "curves": ["curve", "memory", "ratio", "slope", "verdict"],
    "exercises": [
        "check_answer",
        "check_change",
        "check_function",
        "check_lines",
        "check_repair",
        "predicted",
    ],
    "figures": ["Phase", "five_models", "timeline"],
    "keepers": ["lists"],
    "kernel": ["queues"],
    "pairs": ["callers", "connected", "outcome"],
    "pieces": ["arriving"],
    "readiness": ["flags", "says", "truth_table"],
    "prices": ["all_at_once", "idle_memory", "processor_time"],
    "reading": ["Reader", "check_reader", "observe", "posix_aio"],
    "recorded": ["replay"],
    "ring_checks": ["check_accept", "check_order"],
    "series": ["map_of_the_series"],
    "show": ["diff", "source"],
    "sockets": ["interest_list", "listen", "sent_again", "state", "states", "until", "waiting"],
    "stepper": ["Stepper"],
    "trace": ["Tape"],
}
HOME = {name: module for module, names in NAMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in HOME:
        raise AttributeError(f"echo.lab has no {name!r}; it has {', '.join(sorted(HOME))}")
    return getattr(importlib.import_module(f"echo.lab.{HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(HOME)
