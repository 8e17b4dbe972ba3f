"""Markdown that is written by a program: a table, and what stands between two comments."""

from collections.abc import Iterable, Sequence
from typing import Any


def table(head: Sequence[Any], rows: Iterable[Sequence[Any]], right: range = range(0)) -> str:
    """`right`: the columns that hold numbers."""
    rule = ["--:" if column in right else "---" for column in range(len(head))]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in [head, rule, *rows])


def between(text: str, begin: str, end: str, new: str) -> str:
    """`text` with `new` between two comments.

    Raises ValueError where one of them is missing or stands there twice, or the end comes first.
    """
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"{begin} and {end} must stand there, each once")
    before, _, rest = text.partition(begin)
    if end not in rest:
        raise ValueError(f"{end} stands before {begin}")
    return f"{before}{begin}\n\n{new}\n\n{end}{rest.partition(end)[2]}"
