"""The table of the five models says what was measured."""

import pytest

from echo.lab.record import phase
from echo.lab.show.models import PHASES, five_models
from tests.lab.show.drawn import IN_VAIN, MODELS, looks_of, rows_of, tape_of


class TestModels:
    def test_tells_what_was_measured(self):
        assert str(five_models(MODELS)).splitlines()[1:] == [
            "blocking",
            "  waiting for data: asleep in recvfrom",
            "  copying it to the program: at work; calls recvfrom; kernel holds 5 bytes, then 0",
            "non-blocking",
            "  waiting for data: running; calls recvfrom more than 100 times; kernel holds 0 bytes",
            "  copying it to the program: at work; calls recvfrom; kernel holds 5 bytes, then 0",
            "asynchronous",
            "  waiting for data: neither asleep nor at work; makes no call",
            (
                "  copying it to the program: neither asleep nor at work; makes no call; "
                "kernel holds 0 bytes"
            ),
        ]

    def test_the_table_says_the_same(self):
        """A row for each model, and a look for what its thread does."""
        heads, *rows = rows_of(five_models(MODELS).markup)
        assert heads == ["", *PHASES]
        told = [line for line in str(five_models(MODELS)).splitlines()[1:] if line[0] == " "]
        said = [line.partition(": ")[2].replace("; ", " ") for line in told]
        assert [word for _, *words in rows for word in words] == said
        assert [model for model, *_ in rows] == [*MODELS]
        looks = looks_of(five_models(MODELS).markup)
        assert looks == ["wait", "work", "work", "work", "vain", "vain"]

    def test_of_a_tape_it_takes_the_calls(self):
        calls = tape_of([*[("recvfrom", "client 1", IN_VAIN)] * 3, ("recvfrom", "client 1", 5)])
        assert phase.listed_calls(calls) == "recvfrom = EAGAIN 3 times, recvfrom"

    @pytest.mark.parametrize("rows", [{}, {"blocking": ("asleep in recvfrom",)}])
    def test_says_what_is_missing(self, rows):
        with pytest.raises(TypeError, match="waiting, copying"):
            five_models(rows)
