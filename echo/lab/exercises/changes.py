"""Judge a line that a learner has changed in a server."""

from types import ModuleType
from typing import Any

from echo.lab import zoo
from echo.lab.conformance.catalog import title, up_to
from echo.lab.conformance.verdict import failing, report
from echo.lab.display import Line, say
from echo.lab.exercises.answers import missing_text, yes_or_no
from echo.lab.exercises.forms import same_line
from echo.lab.words import ring_refused


def check_change(server: ModuleType, old: str, new: Any, breaks: str) -> None:
    """Put one line in the place of another, and see whether it breaks just what it should.

    `breaks`: the requirement that the changed server must fail, having met all before it.
    """
    if new is ...:
        say("open", "Not attempted yet: replace the ... by your line, as a string.")
        return
    name = server.__name__.rpartition(".")[2]
    if not isinstance(new, str) or same_line(old, new):
        same = "That is the line as it was."
        say("open", same if isinstance(new, str) else "A string, please.")
        return
    try:
        changed = zoo.derive(f"your_{name}", name, (zoo.Change(name, old, new.strip()),))
    except ValueError:
        say("open", f"There is no such line to replace: leave `old` as it is. ({old.strip()!r})")
        return
    except SyntaxError as error:
        say("wrong", not_python(error))
        return
    if new.partition("#")[0].strip() in ("", "pass"):
        say("open", "That leaves the line out: write another one in its place.")
        return
    *before, last = asked = up_to(until=breaks)
    failed = failing(changed.serve, asked)
    if failed is None:
        say("wrong", f'Not broken yet: with your line the server meets "{title(last)}", too.')
        return
    if failed[0] is last:
        said = f"Right. It meets the {len(before)} requirements before, and then:\n"
        say("right", said, report(*failed))
    else:
        said = "It breaks, but not as asked. It should still do this:\n"
        say("wrong", said, report(*failed))


def check_repair(name: str, old: Any, new: Any) -> None:
    """Put one line in the place of another in an animal of the zoo, and run the whole suite."""
    if ... in (old, new):
        say("open", "Not attempted yet: replace each ... by a line, as a string.")
        return
    if not (isinstance(old, str) and isinstance(new, str)):
        say("open", "Two strings, please: the line as it is now, and yours.")
        return
    animal, was, now = zoo.ANIMALS[name], old.strip(), new.strip()
    lines = zoo.load(name).__source__.splitlines()
    found = [line for line in lines if line.strip() == was != ""]
    if len(found) != 1:
        why = f"is not a line of {name}.py: copy one whole line, exactly as it is there"
        if found:
            why = f"is on {len(found)} lines of {name}.py: take one that is there only once"
            why += ", perhaps the line above"
        say("open", f"{was!r} {why}.")
        return
    module = animal.changes[0].module  # they are all in one file
    change = zoo.Change(module, f"\n{found[0]}\n", f"\n{found[0].replace(was, now)}\n")
    if same_line(was, now):
        say("open", "That is the line as it was.")
        return
    try:
        repaired = zoo.derive(f"your_{name}", animal.server, (*animal.changes, change))
    except SyntaxError as error:
        say("wrong", not_python(error))
        return
    every = up_to()
    failed = failing(repaired.serve, every)
    if failed and (why := ring_refused(str(failed[1]))):
        say("open", f"Not asked: {why}.")
    elif failed:
        said = f"Not repaired yet. It should still do this:\n\nFAIL  {report(*failed)}"
        say("wrong", said)
    else:
        say("right", f"Right. It meets all {len(every)} requirements.")


def is_number(line: Any) -> bool:
    return isinstance(line, str) and line.strip().isdecimal()


def not_python(error: SyntaxError) -> str:
    return f"This is no longer valid Python: {error.msg} (line {error.lineno})."


def check_lines(
    name: str,
    *lines: Any,
    explained: str = "",
    follow: str = "that client through the last turn of the loop",
) -> None:
    """Compare line numbers with those to blame for the fault of an animal of the zoo.

    `explained`: the heading of the section that tells why, where no tape does.  `follow`: what
    to look for on the tape, where there is one.
    """
    text = zoo.load(name).__source__
    blame = {*zoo.faults(name)}
    if ... in lines:
        say("open", "Not attempted yet: replace each ... by the number of a line.")
        return
    lines = tuple(int(line) if is_number(line) else line for line in lines)  # '29' for 29
    for line in lines:
        if not isinstance(line, int) or isinstance(line, bool):
            say("open", f"{line!r} is not a number: write 12, without quotes.")
            return
        if not 1 <= line <= text.count("\n"):
            say("open", f"{name}.py has no line {line}: it ends with {text.count(chr(10))}.")
            return
    said = [
        yes_or_no(line in blame, f"line {line}: {text.splitlines()[line - 1].strip()}")
        for line in dict.fromkeys(lines)
    ]
    missing = len(blame - set(lines))
    if set(lines) == blame:
        verdict = f"Right: {'these lines are' if len(blame) > 1 else 'this line is'} to blame."
        say("right", *said, Line("right", f"\n{verdict}"))
        return
    if missing < len(blame):
        why = missing_text(missing, blame) if missing else "not all of these lines are to blame"
        verdict = f"Not yet: {why}."
    elif explained:
        verdict = f'Not yet. "{explained}" shows why.'
    else:
        verdict = f"Not yet. On the tape, follow {follow}."
    say("wrong", *said, Line("wrong", f"\n{verdict}"))
