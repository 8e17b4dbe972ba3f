"""Predictions, and the checks of exercises that are not a whole server.

Every check says one of three things: not attempted, wrong (with what was expected and what
came), or right.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from echo.lab.conformance.verdict import is_stub
from echo.lab.display import Line, Said, judged, say
from echo.lab.exercises.forms import as_expected, listed, no_function, other_kind

PLACES = ["first", "second", "third", "fourth"]


def predicted(guess: Any, value: Any) -> Said:
    """Compare a prediction with what was measured.

    `...` stands for no prediction; then it says what was measured, and nothing else.
    """
    if guess is ...:
        return Said(repr(value))
    if isinstance(guess, tuple) and isinstance(value, list):
        guess = list(guess)  # a, b without brackets is as good
    if isinstance(value, list) and not isinstance(guess, list) and [guess] == value:
        guess = value  # and of one, the one
    if isinstance(guess, str) and str(guess).strip().lower() == str(value).lower():
        guess = value  # 'True' and 'A part' are as good
    if isinstance(guess, str) and isinstance(value, bytes) and guess.encode() == value:
        guess = value  # 'hello' for b'hello'
    if guess == value and isinstance(guess, bool) == isinstance(value, bool):
        return judged("right", f"{value!r}, as you said.")
    return judged("wrong", f"{value!r}, but you said {guess!r}.")


def check_function(
    function: Callable[..., Any], cases: Mapping[tuple[Any, ...], Any], explained: str
) -> None:
    """Call a function of the learner's with each tuple of arguments; stop at the first surprise.

    `cases`: arguments -> what must be returned, or the type of the exception that must be
    raised.  `explained`: the heading of the section that tells why.
    """
    if why := no_function(function):
        say("open", f"{why[:1].upper()}{why[1:]}.")
        return
    name = function.__name__
    if is_stub(function):
        say("open", f"Not attempted yet: replace the ... in {name}().")
        return
    for arguments, expected in cases.items():
        call = f"{name}({', '.join(map(repr, arguments))})"
        came, text = try_case(function, arguments)
        if came != expected or isinstance(came, bool) != isinstance(expected, bool):
            say(
                "wrong",
                f"FAIL  {call}\n\n      expected  {worded(expected)}\n      came      {text}\n",
                f'      "{explained}" shows why.',
            )
            return
        print(f"pass  {call} {'raises' if isinstance(expected, type) else 'gives'} {text}")
    say("right", f"\nRight: {len(cases)} of {len(cases)}.")


def try_case(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, str]:
    """What a call gives or the type of what it raises, and either in words."""
    try:
        value = function(*arguments)
    except Exception as error:
        line = error.__traceback__ and error.__traceback__.tb_next
        where = f" (line {line.tb_lineno})" if line is not None else ""
        said = f": {error}" if str(error) else ""
        return type(error), f"{type(error).__name__}{said}{where}"
    # A class that is returned is not an exception that was raised.
    return (repr(value) if isinstance(value, type) else value), repr(value)


def worded(expected: Any) -> str:
    return expected.__name__ if isinstance(expected, type) else repr(expected)


def check_answer(answer: Any, measured: Any, explained: str, in_order: bool = False) -> None:
    """Compare an answer with what was measured: "which clients stall?", "which one waits?".

    `answer`, `measured`: a value, or several in any order; a wrong one is named, a missing one
    is only counted.  `in_order`: each part answers a question of its own, so it must stand in
    its own place.  `explained`: the heading of the section that tells why.
    """
    if answer is ... or (isinstance(answer, list | tuple | set) and ... in answer):
        say("open", "Not attempted yet: replace the ... by your answer.")
        return
    if in_order:
        check_parts([*answer], [*measured], explained)
        return
    right = several(measured)
    said = several([as_expected(one, right) for one in several(listed(answer))])
    lines = [yes_or_no(one in right, str(one)) for one in said]
    missing = len([one for one in right if one not in said])
    matches = [one in right for one in said]
    if missing == 0 and all(matches):
        say("right", *lines, Line("right", "\nRight."))
        return
    if all(matches):
        why = missing_text(missing, right)
    else:
        why = wrong_text(matches) if missing else "not all of these belong there"
        if len(said) < len(right):
            why += f", and {len(right)} are needed"
    why = other_kind(said, right) or why
    say("wrong", *lines, Line("wrong", f"\nNot yet: {why}."), f'"{explained}" shows why.')


def plain(part: Any) -> str:
    """Without what nobody means: "EBADF, ECANCELED" is "ebadf ecanceled"."""
    return " ".join(str(part).lower().replace(",", " ").split())


def check_parts(answer: list[Any], measured: list[Any], explained: str) -> None:
    """Compare each part of an answer with the one in its place."""
    if len(answer) != len(measured):
        say("wrong", f"Not yet: {len(measured)} parts are needed, and you gave {len(answer)}.")
        return
    matches = [
        plain(as_expected(said, [right])) == plain(right)
        for said, right in zip(answer, measured, strict=True)
    ]
    lines = [yes_or_no(match, str(said)) for match, said in zip(matches, answer, strict=True)]
    if all(matches):
        say("right", *lines, Line("right", "\nRight."))
        return
    why = wrong_text(matches)
    say("wrong", *lines, Line("wrong", f"\nNot yet: {why}."), f'"{explained}" shows why.')


def yes_or_no(right: bool, about: str) -> Line:
    """What is said of one part of an answer."""
    return Line("right", f"yes  {about}") if right else Line("wrong", f"no   {about}")


def wrong_text(matches: Sequence[bool]) -> str:
    """Which parts of an answer are wrong: "the first and the third are wrong"."""
    if len(matches) == 1:
        return "your answer is wrong"
    wrong = [number for number, match in enumerate(matches) if not match]
    if wrong[-1] >= len(PLACES):
        return f"{len(wrong)} of these {'is' if len(wrong) == 1 else 'are'} wrong"
    places = " and the ".join(PLACES[number] for number in wrong)
    return f"the {places} {'is' if len(wrong) == 1 else 'are'} wrong"


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
