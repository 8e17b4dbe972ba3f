"""Broken servers and earlier stages, each a named change of one of ours, never a copy.

    animal = zoo.load("plain_select")
    source(animal)                      # the file as it would read
    diff(select_server, animal)
    start(animal.serve)

animals.py and rings.py list them, changes.py makes them.
"""

import types

from echo.lab.zoo.animals import ANIMALS, Animal
from echo.lab.zoo.changes import Change, derive
from echo.lab.zoo.rings import IO_URING

__all__ = ["ANIMALS", "Animal", "Change", "derive", "load"]

ANIMALS.update(IO_URING)


def load(name: str) -> types.ModuleType:
    """An animal as a module with serve(), its text, and our other modules as it needs them."""
    if name not in ANIMALS:
        raise ValueError(f"there is no {name!r} in the zoo, but {', '.join(ANIMALS)}")
    animal = ANIMALS[name]
    return derive(name, animal.server, animal.changes)
