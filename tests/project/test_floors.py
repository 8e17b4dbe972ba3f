"""The rules a reader relies on: a server is short, and imports nothing she has not seen."""

import ast
import re
import sys

import pytest

from tests.paths import ROOT

ECHO = ROOT / "echo"
TAUGHT = sorted(ECHO.glob("*.py"))  # shown whole, line by line
PROGRAMS = ECHO / "lab" / "stages" / "servers"  # servers to judge, each a program by itself
SERVERS = sorted(ECHO.glob("*_server.py"))
LAB = sorted(ECHO.glob("lab/**/*.py"))

# Room of the lab -> the rooms it may import; of its own modules any, but in no circle.
ROOMS = {
    "words": "",
    "notebook": "",
    "display": "notebook",
    "system": "notebook",
    "saved": "",
    "zoo": "",  # but the files of echo that it changes
    "kernel": "words",
    "run": "kernel words notebook",
    "record": "run kernel words",
    "conformance": "run kernel words display",
    "stages": "conformance run kernel words display zoo",
    "show": "record kernel words display",
    "exercises": "conformance record run kernel words display zoo",
    "measure": "show conformance record run kernel words",
}
OF_ECHO = {
    "run": {"echo.ring"},
    "record": {"echo.ring"},
    "show": {"echo.ring"},
    "measure": {"echo.__main__"},
    "stages": {"echo.accept", "echo.connection"},
}  # taught files that a room stands on
BELOW = {
    "echo.accept": {"echo.connection"},
    "echo.ring": {"echo.syscall"},
    "echo.pool": {"echo.ring", "echo.syscall"},
}  # and a taught file, if it is no server
BELOW_A_SERVER = {"echo.connection", "echo.accept"}
EXCEPTIONS = {
    "echo.threaded_server": {"echo.blocking_server"},  # the same echo(), in a thread
    "echo.io_uring_server": {"echo.ring", "echo.pool"},  # what the standard library lacks
}


def module(path):
    """Its name, as import spells it."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def name_of(path):
    return path.relative_to(ECHO).as_posix()


def exists(name):
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def imports(source, path):
    """The modules that `source`, were it in the file `path`, imports: anywhere, in any form."""
    package = path.parent.relative_to(ROOT).parts
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *filter(None, [node.module])])
            names = [f"{base}.{alias.name}" for alias in node.names]
            yield from (
                name if name.startswith("echo.") and exists(name) else base for name in names
            )


def room_of(name):
    """The room of the module `name`, or the module of the lab that is a room by itself."""
    return name.split(".")[2]


def may_import(path, other):
    """Whether the file `path` may import our module `other`."""
    name = module(path)
    if name.endswith("_server") and path.parent == ECHO:
        return other in BELOW_A_SERVER | EXCEPTIONS.get(name, set())
    if not name.startswith("echo.lab"):
        return other in BELOW.get(name, set())
    if name == "echo.lab":
        return other.startswith("echo.lab.")
    if not other.startswith("echo.lab."):
        return other in OF_ECHO.get(room_of(name), set())
    room = room_of(name)
    return room_of(other) in {room, *ROOMS[room].split()}


def nodes(path):
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", [*TAUGHT, *LAB], ids=name_of)
def test_imports_only_from_the_floors_below(path):
    """What is read first needs nothing that comes later; a server needs no bench."""
    found = imports(path.read_text(encoding="utf-8"), path)
    ours = {name for name in found if name.partition(".")[0] == "echo"}
    assert not {name for name in ours if not may_import(path, name)}


def circle(graph):
    """Modules that import each other, one after the other; nothing if there are none."""
    done = set()

    def visit(one, way):
        if one in way:
            return [*way[way.index(one) :], one]
        if one in done:
            return []
        done.add(one)
        found = (visit(other, [*way, one]) for other in sorted(graph.get(one, ())))
        return next(filter(None, found), [])

    return next(filter(None, (visit(one, []) for one in sorted(graph))), [])


def test_no_module_of_the_lab_imports_itself_round_about():
    """What can be read in an order can be understood in that order."""
    graph = {
        module(path): {
            name
            for name in imports(path.read_text(encoding="utf-8"), path)
            if name.startswith("echo.lab.")
        }
        for path in LAB
        if path.name != "__init__.py"
    }
    assert not circle(graph)


@pytest.mark.parametrize(
    ("source", "file"),
    [
        ("from echo.lab.show.paper import Sheet", "run/server.py"),
        ("from echo.lab.exercises import answers", "measure/ordeal.py"),
        ("import echo.select_server", "kernel/sleep.py"),
        ("from echo.lab import start", "run/crowd.py"),
    ],
)
def test_an_import_of_a_room_above_is_found(source, file):
    path = ECHO / "lab" / file
    assert not any(may_import(path, name) for name in imports(source, path))


def test_a_circle_is_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


@pytest.mark.parametrize("room", [room for room in ROOMS if (ECHO / "lab" / room).is_dir()])
def test_a_room_says_what_belongs_there_and_what_it_may_import(room):
    """In the first lines of its __init__.py, where a newcomer looks."""
    text = (ECHO / "lab" / room / "__init__.py").read_text(encoding="utf-8")
    said = (ast.get_docstring(ast.parse(text)) or "").splitlines()
    assert said[0].endswith(".")
    assert set(re.findall(r"\w+", said[2].removeprefix("May import "))) == {
        *(ROOMS[room].split() or ["nothing", "of", "the", "lab"])
    }


def test_contributing_says_where_each_file_is():
    """Each in the paragraph of its room."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rooms = dict(
        re.findall(r"^- \*\*`(\w+)/`\*\*: (.*?)\n(?=\n|- )", text, re.DOTALL | re.MULTILINE)
    )
    files = {path for path in LAB if path.parent.parent.name == "lab" and path.stem != "__init__"}
    assert files
    missing = [path for path in files if f"`{path.stem}`" not in rooms[path.parent.name]]
    assert not missing


@pytest.mark.parametrize("path", LAB, ids=name_of)
def test_no_module_of_the_lab_is_long(path):
    """Nor any test: test_house.py counts these."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500


def public_names(path):
    """What a module of the lab defines at its top, and no _name."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name))


def test_no_public_name_means_two_things():
    """Whoever searches for it finds one definition."""
    homes = {}
    for path in [path for path in LAB if path.parent != PROGRAMS]:
        for name in set(public_names(path)):
            if not name.startswith("_"):
                homes.setdefault(name, []).append(name_of(path))
    assert not {name: where for name, where in homes.items() if len(where) > 1}


@pytest.mark.parametrize("path", TAUGHT, ids=name_of)
def test_taught_code_needs_only_the_standard_library(path):
    """And not `selectors`: it hides the very thing that the lessons show."""
    found = {name.partition(".")[0] for name in imports(path.read_text(encoding="utf-8"), path)}
    assert found <= {*sys.stdlib_module_names, "echo"} - {"selectors"}


@pytest.mark.parametrize("path", TAUGHT, ids=name_of)
def test_can_be_shown_whole(path):
    """A file that fits on the screen is read; one that does not is scrolled."""
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 80
    assert max(map(len, lines), default=0) <= 100


@pytest.mark.parametrize("path", TAUGHT, ids=name_of)
def test_begins_with_a_docstring_of_one_line(path):
    """python -m echo --help and the lessons name a file by it."""
    lines = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").splitlines()
    assert lines
    assert lines[0].endswith(".")
    assert not any(lines[1:2])


@pytest.mark.parametrize("path", SERVERS, ids=name_of)
def test_server_serves_a_listener(path):
    """serve(listener) is the one interface that every tool relies on."""
    serve = [
        [argument.arg for argument in node.args.args]
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name == "serve"
    ]
    assert serve == [["listener"]]


@pytest.mark.parametrize("path", SERVERS, ids=name_of)
def test_server_has_no_class(path):
    """The loop is the lesson; whoever must look up a class has lost it."""
    assert not [node.name for node in nodes(path) if isinstance(node, ast.ClassDef)]


@pytest.mark.parametrize("path", SERVERS, ids=name_of)
def test_server_does_not_print(path):
    """In a notebook the text of a server's thread lands in some other cell."""
    names = {node.id for node in nodes(path) if isinstance(node, ast.Name)}
    assert "print" not in names
    assert "logging" not in imports(path.read_text(encoding="utf-8"), path)


@pytest.mark.parametrize("path", TAUGHT, ids=name_of)
def test_taught_code_has_no_type_hints(path):
    """What is read line by line has no line for the machine alone."""
    hints = [
        node.lineno
        for node in nodes(path)
        if isinstance(node, ast.AnnAssign)
        or getattr(node, "annotation", None)  # of an argument
        or getattr(node, "returns", None)
    ]
    assert not hints


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import echo.accept", "echo.accept"),
        ("import echo.lab.show as see", "echo.lab.show"),
        ("from echo import accept", "echo.accept"),
        ("from echo.accept import accept", "echo.accept"),
        ("from echo.lab import start", "echo.lab"),
        ("from . import accept", "echo.accept"),
        ("from .lab import show", "echo.lab.show"),
        ("from .accept import accept", "echo.accept"),
        ("def serve(listener):\n    import selectors", "selectors"),
        ("from os import path", "os"),
    ],
)
def test_an_import_is_seen_in_every_form(source, found):
    """Otherwise the rules above hold only for those who mean to keep them."""
    assert [*imports(source, ECHO / "a_server.py")] == [found]
