"""make soak: the lessons take turns, and so does what depends on time."""

import subprocess
from collections import Counter

import pytest

from tests.paths import ROOT
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

    def test_each_test_that_depends_on_time_is_run_three_times(self):
        turns = Counter()
        for number in range(1, 11):
            command = soak.steps_of(number)["tests"]
            assert "timing and not soak" in command
            turns[int(command[-1].removeprefix("--turn=")) % 3] += 1
        assert turns.keys() == {0, 1, 2}
        assert min(turns.values()) >= 3

    @pytest.mark.long
    def test_three_turns_are_all_tests(self):
        def tests(*options):
            command = [*soak.PYTEST, "--collect-only", "-q", "tests/servers", *options]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
            return [line for line in done.stdout.splitlines() if "::" in line]

        by_turns = [one for turn in range(3) for one in tests(f"--turn={turn}")]
        assert sorted(by_turns) == sorted(tests()) != []
