"""Predictions, and the checks of exercises that are not a whole server.

Every check says one of three things: not attempted, wrong (with what was expected and what
came), or right.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from echo.lab.conformance.verdict import is_stub
from echo.lab.exercises.forms import as_expected, listed, no_function, other_kind


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


def check_function(
    function: Callable[..., Any], cases: Mapping[tuple[Any, ...], Any], explained: str
) -> None:
    """Call a function of the learner's with each tuple of arguments; stop at the first surprise.

    `cases`: arguments -> what must be returned, or the type of the exception that must be
    raised.  `explained`: the heading of the section that tells why.
    """
    if why := no_function(function):
        print(f"{why[:1].upper()}{why[1:]}.")
        return
    name = function.__name__
    if is_stub(function):
        print(f"Not attempted yet: replace the ... in {name}().")
        return
    for arguments, expected in cases.items():
        call = f"{name}({', '.join(map(repr, arguments))})"
        came, text = try_case(function, arguments)
        if came != expected or isinstance(came, bool) != isinstance(expected, bool):
            print(f"FAIL  {call}\n\n      expected  {worded(expected)}\n      came      {text}\n")
            print(f'      "{explained}" shows why.')
            return
        print(f"pass  {call} {'raises' if isinstance(expected, type) else 'gives'} {text}")
    print(f"\nRight: {len(cases)} of {len(cases)}.")


def try_case(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, str]:
    """What a call gives or the type of what it raises, and either in words."""
    try:
        value = function(*arguments)
    except Exception as error:
        line = error.__traceback__.tb_next  # type: ignore[union-attr]
        where = f" (line {line.tb_lineno})" if line is not None else ""
        said = f": {error}" if str(error) else ""
        return type(error), f"{type(error).__name__}{said}{where}"
    # A class that is returned is not an exception that was raised.
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
    said = several([as_expected(one, right) for one in several(listed(answer))])
    for one in said:
        print(f"{'yes' if one in right else 'no':3}  {one}")
    missing = len([one for one in right if one not in said])
    if missing == 0 and all(one in right for one in said):
        print("\nRight.")
        return
    why = missing_text(missing, right) if missing else "not all of these belong there"
    why = other_kind(said, right) or why
    print(f"\nNot yet: {why}.")
    print(f'"{explained}" shows why.')


def missing_text(missing: int, right: Collection[Any]) -> str:
    return f"{missing} of {len(right)} {'is' if missing == 1 else 'are'} missing"


def several(values: Any) -> list[Any]:
    """Each of them once, in the order given."""
    listed = values if isinstance(values, list | tuple | set | frozenset) else [values]
    found: list[Any] = []
    for one in sorted(listed, key=str) if isinstance(values, set | frozenset) else listed:
        if one not in found:
            found.append(one)
    return found
