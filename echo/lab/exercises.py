"""Predictions: what the learner expects, held against what came."""

from typing import Any


class Said(str):
    """Text that a notebook shows as it is, without quotes."""

    def __repr__(self) -> str:
        return str(self)


def predicted(guess: Any, value: Any) -> Said:
    """Compare a prediction with what was measured.  `...` stands for no prediction."""
    if guess is ...:
        return Said(f"{value!r}. You had not guessed.")
    if guess == value and isinstance(guess, bool) == isinstance(value, bool):
        return Said(f"{value!r}, as you said.")
    return Said(f"{value!r}. You said {guess!r}.")
