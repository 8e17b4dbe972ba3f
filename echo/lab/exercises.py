"""Predictions, and the checks of exercises that are not a whole server.

Every check says one of three things: not attempted, wrong (with what was expected and what
came), or right.
"""

from types import ModuleType
from typing import Any

from echo.lab import zoo
from echo.lab.conformance import Failed, examine, report, requirements, title


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
        print(f"This is not Python any more: {error.msg} (line {error.lineno}).")
        return
    *before, last = requirements(until=breaks)
    for one in [*before, last]:
        try:
            examine(changed.serve, one)
        except Failed as failure:
            if one is last:
                print(f"Right. It meets the {len(before)} requirements before, and then:\n")
                print(report(one, failure))
            else:
                print("It breaks, but not as asked. It should still do this:\n")
                print(report(one, failure))
            return
    print(f'Not broken yet: with your line the server meets "{title(last)}", too.')


def check_lines(name: str, *lines: Any) -> None:
    """Compare line numbers with those to blame for the fault of an animal of the zoo."""
    text = zoo.load(name).__source__
    blame = {
        text[: text.index(piece) + len(piece)].count("\n") for piece in zoo.ANIMALS[name].fault
    }
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
        print(f"\nNot yet: {missing} of {len(blame)} is missing." if missing else "\nAnd no other.")
    else:
        print("\nNot yet. On the tape, follow that client through the last turn of the loop.")
