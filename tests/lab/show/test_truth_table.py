"""The table of what poll() answers says what was measured."""

import pytest

from echo.lab import flags, truth_table
from echo.lab.kernel.poll import ASKED, UNASKED
from tests.lab.show.drawn import looks_of, rows_of


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

    def test_the_table_says_the_same(self):
        """Each flag that was set stands in its column; those that come unasked look otherwise."""
        markup = truth_table(self.ROWS).markup
        groups, heads, *rows = rows_of(markup)
        assert groups == ["", "reported if asked for", "reported unasked"]
        assert heads == ["", *ASKED, *UNASKED]
        assert {state: [word for word in words if word != "-"] for state, *words in rows} == {
            "idle": ["OUT"],
            "full": [],
            "gone": ["IN", "HUP"],
            "no such": ["NVAL"],
        }
        for _, *words in rows:
            assert all(word in ("-", head) for word, head in zip(words, heads[1:], strict=True))
        assert looks_of(markup) == ["work", "work", "wait", "wait"]
        assert markup == truth_table(self.ROWS).markup

    def test_nonsense_is_refused_in_words(self):
        with pytest.raises(TypeError, match="needs rows"):
            truth_table({})
        with pytest.raises(ValueError, match="gone: LEFT is not a flag"):
            truth_table({"gone": "LEFT"})
