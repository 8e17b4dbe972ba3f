"""make soak: the lessons take turns, and what depends on time is run in each round."""

from collections import Counter

import pytest

from tools import soak


class TestSoak:
    """The lessons take turns beside load; there are eleven of them, and an hour at most."""

    @pytest.mark.parametrize("count", [1, 3, 5, 11, 13])
    def test_each_lesson_is_run_three_times_and_none_twice_in_a_round(self, count):
        lessons = [f"notebooks/{number:02}.ipynb" for number in range(count)]
        run = Counter()
        for number in range(1, 11):
            command = soak.steps_of(number, lessons)["lessons"]
            turn = [word for word in command if word in lessons]
            assert len(turn) == len({*turn}) == min(4, count)
            run.update(turn)
        assert run.keys() == {*lessons}
        assert min(run.values()) >= 3
        assert max(run.values()) - min(run.values()) <= 1

    def test_what_depends_on_time_is_run_in_each_round(self):
        for number in range(1, 11):
            assert "timing and not soak" in soak.steps_of(number)["tests"]
