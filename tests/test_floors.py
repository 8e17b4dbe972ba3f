"""The rules a reader relies on: a server is short, and imports nothing she has not seen."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ECHO = ROOT / "echo"
TAUGHT = sorted(ECHO.glob("*.py"))  # shown whole, line by line
SERVERS = sorted(ECHO.glob("*_server.py"))
LAB = sorted({*ECHO.glob("lab/*.py"), *ECHO.glob("lab/*/*.py")})

# Module -> those of ours that it may import.  What is not listed is no floor of anything.
FLOORS = {
    "echo": set(),
    "echo.__main__": set(),
    "echo.connection": set(),
    "echo.syscall": set(),
    "echo.ring": {"echo.syscall"},
    "echo.pool": {"echo.ring", "echo.syscall"},
    "echo.accept": {"echo.connection"},
    "echo.lab.kernel": set(),
    "echo.lab.show": set(),
    "echo.lab.tracebacks": set(),
    "echo.lab.system": {"echo.lab.tracebacks"},
    "echo.lab.background": {"echo.lab.kernel", "echo.lab.tracebacks"},
    "echo.lab.process": {"echo.lab.kernel"},
    "echo.lab.crowds": {"echo.lab.background"},
    "echo.lab.curves": {"echo.lab.background", "echo.lab.process"},
    "echo.lab.conformance": {
        "echo.lab.kernel",
        "echo.lab.background",
        "echo.lab.process",
        "echo.lab.judge",  # only where it is run as a program
    },
    "echo.lab.judge": {"echo.lab.conformance", "echo.lab.process"},
    "echo.lab.exercises": {"echo.lab.conformance", "echo.lab.zoo"},
    "echo.lab.trace": {"echo.ring", "echo.lab.kernel", "echo.lab.background"},
    "echo.lab.container": set(),
    "echo.lab.recorded": {"echo.ring"},
    "echo.lab.prices": {"echo.lab.background", "echo.lab.process", "echo.lab.trace"},
    "echo.lab.ring_checks": {"echo.lab.background", "echo.lab.conformance", "echo.lab.trace"},
    "echo.lab.sockets": {"echo.lab.kernel", "echo.lab.background", "echo.lab.trace"},
    "echo.lab.tables": {"echo.lab.show"},
    "echo.lab.bad_clients": {"echo.lab.kernel", "echo.lab.background", "echo.lab.tables"},
    "echo.lab.comparison": {
        "echo.lab.kernel",
        "echo.lab.background",
        "echo.lab.tables",
        "echo.lab.trace",
        "echo.lab.bad_clients",
    },
    "echo.lab.stepper": {
        "echo.lab.kernel",
        "echo.lab.background",
        "echo.lab.trace",
        "echo.lab.sockets",  # the interest list of an epoll instance
    },
    "echo.lab.series": {"echo.lab.background", "echo.lab.figures"},
    "echo.lab.figures": {"echo.lab.kernel", "echo.lab.background", "echo.lab.trace"},
    "echo.lab.readiness": {"echo.lab.background", "echo.lab.figures", "echo.lab.trace"},
    "echo.lab.keepers": {"echo.lab.background", "echo.lab.figures", "echo.lab.sockets"},
    "echo.lab.connections": {"echo.lab.background", "echo.lab.figures"},
    "echo.lab.pairs": {"echo.lab.sockets"},
    "echo.lab.pieces": {"echo.lab.kernel"},
    "echo.lab.reading": {
        "echo.lab.kernel",
        "echo.lab.background",
        "echo.lab.conformance",
        "echo.lab.figures",  # Phase, what five_models draws
        "echo.lab.sockets",
        "echo.lab.trace",
    },
}
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


def foundations(path):
    """The modules of ours that the file `path` may import."""
    name = module(path)
    if name.endswith("_server") and path.parent == ECHO:
        return BELOW_A_SERVER | EXCEPTIONS.get(name, set())
    if name == "echo.lab":
        return {module(path) for path in ECHO.glob("lab/*.py")}
    if name.startswith("echo.lab.zoo"):
        return {module(path) for path in [*TAUGHT, *ECHO.glob("lab/zoo/*.py")]} - {"echo"}
    assert name in FLOORS, f"{name} is new: say in FLOORS on what it stands"
    return FLOORS[name]


def nodes(path):
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", [*TAUGHT, *LAB], ids=name_of)
def test_imports_only_from_the_floors_below(path):
    """What is read first needs nothing that comes later; a server needs no bench."""
    found = imports(path.read_text(encoding="utf-8"), path)
    ours = {name for name in found if name.partition(".")[0] == "echo"}
    assert ours <= foundations(path)


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
