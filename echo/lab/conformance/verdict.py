"""Put a server to requirements, and say what came of it."""

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

from echo.lab.conformance.catalog import Requirement, title, up_to
from echo.lab.conformance.mark import stops_reading_at
from echo.lab.conformance.proxies import of_a_proxy
from echo.lab.conformance.subject import Failed, Judged, Subject
from echo.lab.display import say
from echo.lab.run.process import NotAsked
from echo.lab.run.server import Server, checked, start
from echo.lab.run.threads import RETURNED
from echo.lab.words import ring_refused

OF_THE_BENCH = "Tape", "start", "where_is"  # what the cell that shows a failure again may use
DEAF = (
    "it does not stop when it is told to: does it swallow every exception, with a bare "
    "`except:`, or wait for something other than its sockets?"
)


def examine(serve: Callable[..., Any], requirement: Requirement) -> None:
    """Put one requirement to a fresh server; raises Failed with the conversation, NotAsked."""
    with requirement.around:
        put(requirement, start(serve, buffer=requirement.buffer))


def put(requirement: Requirement, server: Judged) -> None:
    """Put one requirement to a server that has just begun, and end it; raises Failed."""
    subject = Subject(server)
    try:
        if server.crash is not None:
            raise Failed(server.crash)
        try:
            requirement(subject)
        except OSError as error:
            subject.fail(f"then an error: {error.strerror or error}")
        subject.close()
        subject.settle()
        subject.lines.append("the clients leave")
        if server.crash is not None or not server.end():
            subject.fail()
        if subject.not_owing:
            raise NotAsked(subject.not_owing)
    except BaseException as error:
        subject.close()
        if not server.end() and isinstance(error, Failed):
            raise Failed(f"{error}\n{DEAF}") from None
        raise


def failing(
    serve: Callable[..., Any], asked: Iterable[Requirement]
) -> tuple[Requirement, Failed] | None:
    """The first of these requirements that a server does not meet, and how."""
    for one in asked:
        try:
            examine(serve, one)
        except NotAsked:
            continue
        except Failed as failure:
            return one, failure
    return None


def check(
    serve: Any,
    until: str | Requirement | None = None,
    mark: int | None = None,
    behind: Server | None = None,
) -> None:
    """Put the suite to a server, from easy to hard, and stop at the first failure.

    `until`: the last requirement to ask, by name.  `mark`: after these, it must stop reading from
    a client that it owes so many bytes.  `behind`: after these, it must be a proxy for this server.
    Prints a line for each requirement met, and for one that is not the conversation that shows it.
    Takes 10 seconds at the most.
    """
    try:
        asked = up_to(until) + ([stops_reading_at(mark)] if mark else [])
        asked += of_a_proxy(behind) if behind else []
    except ValueError as error:
        say("open", str(error))
        return
    if serve is ...:
        say("open", "Not attempted yet: replace the ... by the serve of a server.")
        return
    try:
        checked(serve)
    except TypeError as error:  # a module, say: to be told, not to be traced
        say("open", str(error).replace("start()", "check()"))
        return
    if is_stub(serve):
        say("open", f"Not attempted yet: replace the ... in {serve.__name__}().")
        return
    names = sys._getframe(1).f_globals
    name = recipe_name(serve, names)
    not_asked = 0
    for one in asked:
        try:
            examine(serve, one)
        except NotAsked as reason:
            not_asked += 1
            print(f"----  {title(one)}\n      not asked: {reason}")
            continue
        except Failed as failure:
            if why := ring_refused(str(failure)):
                say("open", f"Not asked: {why}.")
                return
            again = one.again.format(name)
            if RETURNED in str(failure):  # mostly when a client has left
                again += "\nclient.close()" * ("client = " in again) + "\nwhere_is(server)"
            begin = "tape = Tape()"
            again = again.replace(begin, imports_for(again, names) + begin, 1)
            say(
                "wrong",
                f"FAIL  {report(one, failure)}\n\n      To see it again:\n",
                textwrap.indent(again, " " * 10),
                "\n      and in the next cell, what the server did:\n\n          print(tape)",
                f"\n{asked.index(one)} of {len(asked)} requirements met by {name}() so far.",
            )
            return
        print(f"pass  {title(one)}")  # at once: the next one may take a second
    count = len(asked) - not_asked
    say("right", f"\n{count} of {count} requirements met by {name}(){but_for(not_asked)}.")


def recipe_name(serve: Any, names: Mapping[str, Any]) -> str:
    """What to write in `start(...)` where `names` are known: serve, my_choice, a module's serve."""
    own = str(getattr(serve, "__name__", ""))
    for name in [own, *names]:
        if not name.startswith("_") and names.get(name) is serve:
            return name
    for name, value in names.items():
        if isinstance(value, ModuleType) and getattr(value, own, None) is serve:
            return f"{name}.{own}"
    return own if own.isidentifier() else "serve"


def imports_for(code: str, names: Mapping[str, Any]) -> str:
    """The line that imports what `code` uses of the bench, and what is not known in `names`."""
    used = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    missing = [
        name
        for name in OF_THE_BENCH
        if name in used and not str(getattr(names.get(name), "__module__", "")).startswith("echo.")
    ]
    return f"from echo.lab import {', '.join(missing)}\n" if missing else ""


def but_for(not_asked: int) -> str:
    return f", {not_asked} not asked" if not_asked else ""


def report(requirement: Requirement, failure: Failed) -> str:
    """What was required, why, and the conversation that shows that it does not hold."""
    return textwrap.indent(
        f"{title(requirement)}\n{inspect.getdoc(requirement)}\n\n{failure}", " " * 6
    ).lstrip()


def is_stub(serve: Any) -> bool:
    """Whether a function still contains a statement that is nothing but `...`."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(serve)))
    except (OSError, TypeError, SyntaxError):  # no source, or one that does not stand alone
        return False
    return any(
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and node.value.value is ...
        for node in ast.walk(tree)
    )
