"""Predictions, and the checks of exercises that are not a whole server.

Every check says one of three things: not attempted, wrong (with what was expected and what
came), or right.
"""

from collections.abc import Callable, Collection, Mapping
from types import ModuleType
from typing import Any

from echo.lab import zoo
from echo.lab.conformance import failing, is_stub, report, requirements, title


class Said(str):
    """Text that a notebook shows as it is, without quotes."""

    def __repr__(self) -> str:
        return str(self)


def predicted(guess: Any, value: Any) -> Said:
    """Compare a prediction with what was measured.  `...` stands for no prediction."""
    if guess is ...:
        return Said(f"{value!r}. You had not guessed.")
    if isinstance(guess, tuple) and isinstance(value, list):
        guess = list(guess)  # a, b without brackets is as good
    if isinstance(guess, str) and str(guess).strip().lower() == str(value).lower():
        guess = value  # 'True' and 'A part' are as good
    if isinstance(guess, str) and isinstance(value, bytes) and guess.encode() == value:
        guess = value  # 'hello' for b'hello'
    if guess == value and isinstance(guess, bool) == isinstance(value, bool):
        return Said(f"{value!r}, as you said.")
    return Said(f"{value!r}, not {guess!r} as you said.")


def check_change(server: ModuleType, old: str, new: Any, breaks: str) -> None:
    """Put one line in the place of another, and see whether it breaks just what it should.

    `breaks`: the requirement that the changed server must fail, having met all before it.
    """
    if new is ...:
        print("Not attempted yet: replace the ... by your line, as a string.")
        return
    name = server.__name__.rpartition(".")[2]
    if not isinstance(new, str) or new.strip() == old.strip():
        print("That is the line as it stands." if isinstance(new, str) else "A string, please.")
        return
    try:
        changed = zoo.derive(f"your_{name}", name, (zoo.Change(name, old, new.strip()),))
    except ValueError:
        print(f"There is no such line to replace: leave `old` as it is. ({old.strip()!r})")
        return
    except SyntaxError as error:
        print(not_python(error))
        return
    *before, last = asked = requirements(until=breaks)
    failed = failing(changed.serve, asked)
    if failed is None:
        print(f'Not broken yet: with your line the server meets "{title(last)}", too.')
        return
    if failed[0] is last:
        print(f"Right. It meets the {len(before)} requirements before, and then:\n")
    else:
        print("It breaks, but not as asked. It should still do this:\n")
    print(report(*failed))


def check_repair(name: str, old: Any, new: Any) -> None:
    """Put one line in the place of another in an animal of the zoo, and run the whole suite."""
    if ... in (old, new):
        print("Not attempted yet: replace each ... by a line, as a string.")
        return
    if not (isinstance(old, str) and isinstance(new, str)):
        print("Two strings, please: the line as it stands, and yours.")
        return
    animal, was, now = zoo.ANIMALS[name], old.strip(), new.strip()
    lines = zoo.load(name).__source__.splitlines()
    found = [line for line in lines if line.strip() == was != ""]
    if len(found) != 1:
        times = "more than once" if found else "nowhere"
        print(f"{was!r} stands {times} in {name}.py: copy one whole line, as it stands.")
        return
    module = animal.changes[0].module  # they are all in one file
    change = zoo.Change(module, f"\n{found[0]}\n", f"\n{found[0].replace(was, now)}\n")
    try:
        repaired = zoo.derive(f"your_{name}", animal.server, (*animal.changes, change))
    except SyntaxError as error:
        print(not_python(error))
        return
    every = requirements()
    if failed := failing(repaired.serve, every):
        print(f"Not repaired yet. It should still do this:\n\nFAIL  {report(*failed)}")
    else:
        print(f"Right. It meets all {len(every)} requirements.")


def not_python(error: SyntaxError) -> str:
    return f"This is not Python any more: {error.msg} (line {error.lineno})."


def check_function(function: Callable, cases: Mapping[tuple, Any], explained: str) -> None:
    """Call a function of the learner's with each tuple of arguments; stop at the first surprise.

    `cases`: arguments -> what must be returned, or the type of the exception that must be
    raised.  `explained`: the heading of the section that tells why.
    """
    name = function.__name__
    if is_stub(function):
        print(f"Not attempted yet: replace the ... in {name}().")
        return
    for arguments, expected in cases.items():
        call = f"{name}({', '.join(map(repr, arguments))})"
        came, text = outcome(function, arguments)
        if came != expected or isinstance(came, bool) != isinstance(expected, bool):
            print(f"FAIL  {call}\n\n      expected  {worded(expected)}\n      came      {text}\n")
            print(f'      "{explained}" shows why.')
            return
        print(f"pass  {call} {'raises' if isinstance(expected, type) else 'gives'} {text}")
    print(f"\nRight: {len(cases)} of {len(cases)}.")


def outcome(function: Callable, arguments: tuple) -> tuple[Any, str]:
    """What a call gives or the type of what it raises, and either in words."""
    try:
        value = function(*arguments)
    except Exception as error:
        line = error.__traceback__.tb_next  # type: ignore[union-attr]
        where = f" (line {line.tb_lineno})" if line is not None else ""
        said = f": {error}" if str(error) else ""
        return type(error), f"{type(error).__name__}{said}{where}"
    # a class that is returned is not an exception that was raised
    return (repr(value) if isinstance(value, type) else value), repr(value)


def worded(expected: Any) -> str:
    return expected.__name__ if isinstance(expected, type) else repr(expected)


def check_answer(answer: Any, measured: Any, explained: str) -> None:
    """Compare an answer with what was measured: "which clients stall?", "who is served?".

    `answer`, `measured`: a value, or several in any order; a wrong one is named, a missing one
    is only counted.  `explained`: the heading of the section that tells why.
    """
    if answer is ... or (isinstance(answer, list | tuple | set) and ... in answer):
        print("Not attempted yet: replace the ... by your answer.")
        return
    right = several(measured)
    words = {str(one).lower(): one for one in right}  # 'False' for False
    said = several([words.get(str(one).lower(), one) for one in several(answer)])
    for one in said:
        print(f"{'yes' if one in right else 'no':3}  {one}")
    missing = len([one for one in right if one not in said])
    if missing == 0 and all(one in right for one in said):
        print("\nRight.")
        return
    print(f"\nNot yet: {lacking(missing, right) if missing else 'not all of these belong there'}.")
    print(f'"{explained}" shows why.')


def lacking(missing: int, right: Collection) -> str:
    return f"{missing} of {len(right)} {'is' if missing == 1 else 'are'} missing"


def several(values: Any) -> list:
    """Each of them once, in the order given."""
    listed = values if isinstance(values, list | tuple | set | frozenset) else [values]
    found: list = []
    for one in sorted(listed, key=str) if isinstance(values, set | frozenset) else listed:
        if one not in found:
            found.append(one)
    return found


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
        print("Not attempted yet: replace each ... by the number of a line.")
        return
    for line in lines:
        if not isinstance(line, int):
            print(f"{line!r} is no number: write 12, without quotes.")
            return
        if not 1 <= line <= text.count("\n"):
            print(f"{name}.py has no line {line}: it ends with {text.count(chr(10))}.")
            return
    for line in dict.fromkeys(lines):
        verdict = "yes" if line in blame else "no"
        print(f"{verdict:3}  line {line}: {text.splitlines()[line - 1].strip()}")
    missing = len(blame - set(lines))
    if set(lines) == blame:
        print(f"\nRight: {'these lines do' if len(blame) > 1 else 'this line does'} it.")
    elif missing < len(blame):
        print(f"\nNot yet: {lacking(missing, blame)}." if missing else "\nAnd no other.")
    elif explained:
        print(f'\nNot yet. "{explained}" shows why.')
    else:
        print(f"\nNot yet. On the tape, follow {follow}.")
