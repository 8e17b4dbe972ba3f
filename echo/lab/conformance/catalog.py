"""The list of requirements, and what a requirement is: a function with its reason.

A requirement takes a running server as the suite sees it, a Subject.  Its name is what is
required and its docstring the reason.  All but one run with kernel buffers small enough to be
filled (16 KiB are asked for; Linux doubles that, socket(7)).
"""

import contextlib
import difflib
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol, cast

from echo.lab.conformance.subject import BUFFER, Subject


class Requirement(Protocol):
    """A function of the suite."""

    __name__: str
    again: str  # code that shows the same without the suite
    buffer: int | None  # bytes of the kernel's buffers, see start()
    around: AbstractContextManager[Any]  # entered before the server begins, left when it has ended

    def __call__(self, server: Subject) -> None: ...


REQUIREMENTS: list[Requirement] = []


def requirement(
    again: str, buffer: int | None = BUFFER, small: bool = False
) -> Callable[[Callable[[Subject], None]], Requirement]:
    """Add a function to the suite.  `again`: code that shows the same without the suite;
    `small`: whether it takes small buffers to see it."""

    def add(function: Callable[[Subject], None]) -> Requirement:
        option = f", buffer={buffer}" if small else ""
        imports = [f"import {name}" for name in ("socket", "struct", "time") if f"{name}." in again]
        lines = [
            *imports,
            "tape = Tape()",
            f"server = start({{}}, tape{option})",
            inspect.cleandoc(again),
        ]
        one = required(function, "\n".join(lines), buffer)
        REQUIREMENTS.append(one)
        return one

    return add


def required(
    judge: Callable[[Subject], None],
    again: str,
    buffer: int | None = None,
    around: AbstractContextManager[Any] | None = None,
) -> Requirement:
    """A function as a requirement, which need not belong to the suite."""
    one = cast(Requirement, judge)
    one.again, one.buffer, one.around = again, buffer, around or contextlib.nullcontext()
    return one


def title(requirement: Requirement) -> str:
    return requirement.__name__.replace("_", " ")


def up_to(until: str | Requirement | None = None) -> list[Requirement]:
    """The suite, from easy to hard; `until`: up to this one, by its name."""
    names = [title(one) for one in REQUIREMENTS]
    name = str(getattr(until, "__name__", until or names[-1])).replace("_", " ")
    if name not in names:
        near = difflib.get_close_matches(name, names, 1)
        meant = f"; do you mean {near[0]!r}? They are" if near else "; they are"
        raise ValueError(f"{until!r} is no requirement{meant}: {', '.join(names)}")
    return REQUIREMENTS[: names.index(name) + 1]
