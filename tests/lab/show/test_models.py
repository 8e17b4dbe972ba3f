"""The figure of the five models draws what was measured."""

import pytest

from echo.lab.record import phase
from echo.lab.show.models import five_models
from tests.lab.show.drawn import IN_VAIN, MODELS, drawn_words, tape_of


class TestModels:
    def test_tells_what_was_measured(self):
        assert five_models(MODELS).details == [
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

    def test_draws_what_it_tells(self):
        drawing = five_models(MODELS)
        drawn = " ".join(text for text, _ in drawn_words(drawing))
        for line in drawing.details:
            said = line.rpartition(": ")[2].strip()
            assert all(part in drawn for part in said.split("; "))

    def test_of_a_tape_it_takes_the_calls(self):
        calls = tape_of([*[("recvfrom", "client 1", IN_VAIN)] * 3, ("recvfrom", "client 1", 5)])
        assert phase.listed_calls(calls) == "recvfrom = EAGAIN 3 times, recvfrom"

    @pytest.mark.parametrize("rows", [{}, {"blocking": ("asleep in recvfrom",)}])
    def test_says_what_is_missing(self, rows):
        with pytest.raises(TypeError, match="waiting, copying"):
            five_models(rows)
