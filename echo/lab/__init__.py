"""The bench: starts, watches, draws and judges echo servers.

    from echo.lab import start, Tape, check

Each name below is imported from its module when it is first used.
"""

import importlib

from echo.lab import system

system.require()

NAMES = {
    "conformance": ["check", "examine"],
    "exercises.answers": ["check_answer", "check_function", "predicted"],
    "exercises.changes": ["check_change", "check_lines", "check_repair"],
    "exercises.edges": ["check_edge"],
    "exercises.loops": ["check_loop"],
    "exercises.rings": ["check_accept"],
    "exercises.readers": ["check_reader"],
    "kernel.poll": ["CASES", "flags", "says"],
    "kernel.sockets": ["interest_list", "queues", "sent_again", "state", "states", "waiting"],
    "kernel.where": ["watch", "where_is"],
    "measure.choices": ["check_choice"],
    "measure.comparison": ["compare"],
    "measure.costs": ["curve", "memory"],
    "measure.frameworks": ["frameworks"],
    "measure.idleness": ["wake_ups"],
    "measure.ordeal": ["ordeal"],
    "measure.prices": ["all_at_once", "idle_memory", "processor_time"],
    "measure.riddle": ["HIDDEN", "riddle"],
    "measure.watched": ["watched"],
    "record.phase": ["Phase"],
    "record.posix_aio": ["posix_aio"],
    "record.reader": ["Reader", "observe"],
    "record.stepper": ["Stepper"],
    "record.tape": ["Tape"],
    "run.clients": ["arriving", "callers", "connected", "listen", "outcome"],
    "run.container": ["in_a_container"],
    "run.crowd": ["crowd"],
    "run.faults": ["more_descriptors"],
    "run.herd": ["herd"],
    "run.leftovers": ["leftovers"],
    "run.looping": ["asyncio_loop"],
    "run.one_turn": ["both_in_one_turn"],
    "run.rest": ["settle", "until"],
    "run.server": ["start"],
    "run.shortage": ["no_descriptors", "settle_descriptors"],
    "run.threads": ["Crashed"],
    "run.workers": ["workers"],
    "show.anatomy": ["anatomy", "timeout_of"],
    "show.code": ["diff", "source"],
    "show.connection": ["lanes", "places"],
    "show.curves": ["ratio", "slope", "verdict"],
    "show.lists": ["lists"],
    "show.models": ["five_models"],
    "show.replay": ["replay"],
    "show.series": ["map_of_the_series"],
    "show.timeline": ["timeline"],
    "show.truth_table": ["truth_table"],
    "stages.beside": ["beside_redis"],
    "stages.verdict": ["check_stage"],
}
HOME = {name: module for module, names in NAMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in HOME:
        raise AttributeError(f"echo.lab has no {name!r}; it has {', '.join(sorted(HOME))}")
    return getattr(importlib.import_module(f"echo.lab.{HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(HOME)
