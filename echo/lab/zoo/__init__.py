"""Broken servers and earlier stages, each a named change of one of ours, never a copy.

May import nothing of the lab.

    animal = zoo.load("plain_select")
    source(animal)                      # the file as it would read
    diff(select_server, animal)
    start(animal.serve)

animals.py lists them, of_*.py and in_one_call.py describe them, changes.py makes them.
"""

import types

from echo.lab.zoo.animal import Animal
from echo.lab.zoo.animals import ANIMALS
from echo.lab.zoo.changes import Change, derive

__all__ = ["ANIMALS", "Animal", "Change", "derive", "faults", "load"]


def load(name: str) -> types.ModuleType:
    """An animal as a module with serve(), its text, and our other modules as it needs them."""
    if name not in ANIMALS:
        raise ValueError(f"there is no {name!r} in the zoo, but {', '.join(ANIMALS)}")
    animal = ANIMALS[name]
    return derive(name, animal.server, animal.changes)


def faults(name: str) -> list[int]:
    """The numbers of the lines of an animal's file that are to blame, in order."""
    text = load(name).__source__
    ends = [text.index(piece) + len(piece) for piece in ANIMALS[name].fault]
    return sorted(text[:end].count("\n") for end in ends)
