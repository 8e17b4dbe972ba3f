"""Broken servers and earlier stages, each a named change of one of ours, never a copy.

    animal = zoo.load("plain_select")
    source(animal)                      # the file as it would read
    diff(select_server, animal)
    start(animal.serve)

A change replaces a piece of one of our files.  A piece that is not there, or twice, is an
error, so the zoo cannot drift away from the servers.
"""

import builtins
import importlib
import inspect
import linecache
import types
from typing import NamedTuple


class Change(NamedTuple):
    """In the file echo/<module>.py, `old` becomes `new`."""

    module: str
    old: str
    new: str


class Animal(NamedTuple):
    """`server` with some changes; `caught_by` names the requirement that it fails, if any.

    `fault`: pieces of its text, each found once; the last line of each is to blame.
    """

    server: str
    about: str
    changes: tuple[Change, ...]
    caught_by: str | None = None
    fault: tuple[str, ...] = ()


TRY_FIRST = "if conn.unsent:  # most of the time there is room: try before you ask"

ANIMALS: dict[str, Animal] = {
    "plain_select": Animal(
        "select_server",
        "The first stage: it receives, asks for writability, and sends on the next turn.",
        (Change("select_server", TRY_FIRST, "if fd in writable:"),),
    ),
    "drops_the_gone": Animal(
        "select_server",
        "Reads in one loop, writes in the next, and forgets a client in between.",
        (
            Change("select_server", "for fd in readable | writable:", "for fd in readable:"),
            Change(
                "select_server",
                f"""\
            if fd in readable:
                conn.receive()
            {TRY_FIRST}
                conn.send()

            wanted = conn.wanted()
            (reading.add if wanted & READ else reading.discard)(fd)
            (writing.add if wanted & WRITE else writing.discard)(fd)
            if not wanted:
                del connections[fd]
                conn.sock.close()
""",
                """\
            conn.receive()
            writing.add(fd)
            if conn.eof:  # the client has gone
                reading.discard(fd)
                writing.discard(fd)
                del connections[fd]
                conn.sock.close()

        for fd in writable:
            conn = connections[fd]
            conn.send()
            if not conn.unsent:
                writing.discard(fd)
""",
            ),
        ),
        caught_by="answers_a_client_that_sends_and_finishes_at_once",
        fault=(
            "del connections[fd]\n",
            "for fd in writable:\n            conn = connections[fd]\n",
        ),
    ),
    "forgets_the_rest": Animal(
        "select_server",
        "Takes it for granted that send() has sent everything.",
        (Change("connection", "self.unsent = self.unsent[count:]", 'self.unsent = b""'),),
        caught_by="loses_nothing_when_the_client_reads_late",
        fault=('self.unsent = b""  # usually nothing is left\n',),
    ),
    "thinks_in_the_loop": Animal(
        "select_server",
        "Does something slow for one client while the others wait.",
        (
            Change("select_server", "import select\n", "import select\nimport time\n"),
            Change(
                "select_server",
                "                conn.receive()\n",
                "                conn.receive()\n"
                '                if conn.unsent == b"think":\n'
                "                    time.sleep(1)  # stands for a slow computation\n",
            ),
        ),
        fault=("time.sleep(1)  # stands for a slow computation\n",),
    ),
}


def load(name: str) -> types.ModuleType:
    """An animal as a module with serve(), its text, and our other modules as it needs them."""
    if name not in ANIMALS:
        raise ValueError(f"there is no {name!r} in the zoo, but {', '.join(ANIMALS)}")
    animal = ANIMALS[name]
    return derive(name, animal.server, animal.changes)


def derive(name: str, server: str, changes: tuple[Change, ...]) -> types.ModuleType:
    """The module echo.<server> with some lines changed, there or in what it imports.

    It and what it imports of ours are loaded anew; ours stay as they are.  The result's
    __source__ is the text of the file that has been changed; of several, of the uppermost.
    """
    modules = {change.module for change in changes}
    loaded: dict[str, types.ModuleType] = {}
    changed: list[str] = []

    def import_(target: str, *args: object) -> object:
        package, _, module = target.partition(".")
        if package != "echo" or not module:
            return builtins.__import__(target, *args)  # type: ignore[arg-type]
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
    animal.__source__ = changed[-1]  # type: ignore[attr-defined]
    return animal
