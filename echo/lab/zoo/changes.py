"""Make a module out of one of ours by replacing pieces of it; ours stays as it is.

A piece that is not there, or twice, is an error, so what is derived cannot drift away from
the servers.
"""

import builtins
import importlib
import inspect
import linecache
import types
from typing import Any, NamedTuple

KEPT = {"ring", "syscall"}  # a tape records the calls of our Ring: it stays the same class


class Change(NamedTuple):
    """In the file echo/<module>.py, `old` becomes `new`."""

    module: str
    old: str
    new: str


def derive(name: str, server: str, changes: tuple[Change, ...]) -> types.ModuleType:
    """The module echo.<server> with some lines changed, there or in what it imports.

    It and what it imports of ours are loaded anew; ours stay as they are.  The result's
    __source__ is the text of the file that has been changed; of several, of the uppermost.
    """
    modules = {change.module for change in changes}
    loaded: dict[str, types.ModuleType] = {}
    changed: list[str] = []

    def import_(target: str, *args: Any) -> object:
        package, _, module = target.partition(".")
        if package != "echo" or not module or module in KEPT - modules:
            return builtins.__import__(target, *args)
        return loaded.get(module) or make(module)

    def make(module: str) -> types.ModuleType:
        ours = importlib.import_module(f"echo.{module}")
        text = inspect.getsource(ours)
        for change in changes:
            if change.module == module:
                if text.count(change.old) != 1:
                    raise ValueError(f"{name}: not once in echo/{module}.py: {change.old!r}")
                text = text.replace(change.old, change.new)
        made = types.ModuleType(name if module == server else f"echo.{module}")
        made.__file__ = ours.__file__ or ""
        if module in modules:  # a file that is nowhere but here; tracebacks find its lines
            alone = module == server or len(modules) == 1
            made.__file__ = file = f"{name}.py" if alone else f"{name}_{module}.py"
            linecache.cache[file] = (len(text), None, text.splitlines(True), file)
        made.__dict__["__builtins__"] = vars(builtins) | {"__import__": import_}
        exec(compile(text, made.__file__, "exec"), vars(made))
        if module in modules:
            changed.append(text)
        loaded[module] = made
        return made

    animal = make(server)
    if not changes:
        raise ValueError(f"{name}: it changes nothing")
    for module in sorted(modules - loaded.keys()):
        raise ValueError(f"{name}: {server} does not use echo/{module}.py")
    vars(animal)["__source__"] = changed[-1]
    return animal
