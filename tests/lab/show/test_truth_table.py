"""The table of what poll() answers says what was measured."""

import re
from xml.etree import ElementTree

import pytest

from echo.lab import flags, truth_table

SVG = "{http://www.w3.org/2000/svg}"


class TestTable:
    ROWS = {"idle": flags(4), "full": flags(0), "gone": "IN|HUP", "no such": ["NVAL"]}  # noqa: RUF012

    def test_says_it_in_words(self):
        assert str(truth_table(self.ROWS)).splitlines() == [
            "What poll() says in 4 states, when it is asked for IN, OUT, PRI, RDHUP.",
            "idle:    OUT",
            "full:    nothing",
            "gone:    IN and unasked HUP",
            "no such: unasked NVAL",
        ]

    def test_draws_what_it_says(self):
        """Each flag that was set stands in a box of its own, and again above its column."""
        svg = truth_table(self.ROWS).svg
        texts = [text.text for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]
        assert [texts.count(name) - 1 for name in ("IN", "OUT", "PRI", "HUP", "NVAL")] == [
            *(1, 1, 0, 1, 1)
        ]
        assert texts.count("-") == 4 * 7 - 4
        assert re.search('role="img" aria-label="What poll', svg)
        assert svg == truth_table(self.ROWS).svg

    def test_nonsense_is_refused_in_words(self):
        with pytest.raises(TypeError, match="needs rows"):
            truth_table({})
        with pytest.raises(ValueError, match="gone: LEFT is no flag"):
            truth_table({"gone": "LEFT"})
