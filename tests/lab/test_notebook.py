"""What a notebook shows of an error ends with the learner's own line."""

import pytest

from echo.lab import notebook, zoo


def frames(trace):
    names = []
    while trace is not None:
        names.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    return names


def test_frames_of_the_bench_are_cut_off_the_end():
    """She did not write them, and cannot mend them."""

    def learner():
        zoo.load("no such animal")

    with pytest.raises(ValueError, match="in the zoo") as raised:
        learner()
    assert frames(raised.value.__traceback__)[-1] == "load"
    notebook.cut(raised.value.__traceback__)
    assert frames(raised.value.__traceback__)[-1] == "learner"


def test_frames_below_a_call_of_hers_stay():
    """A function that she handed to the bench is hers."""

    def hers():
        raise KeyError

    with pytest.raises(KeyError) as raised:
        hers()
    before = frames(raised.value.__traceback__)
    notebook.cut(raised.value.__traceback__)
    assert frames(raised.value.__traceback__) == before


def test_ipython_shows_it_in_its_usual_way():
    """The handler changes nothing but the length."""

    class Shell:
        def showtraceback(self, error, tb_offset):
            return [error[0].__name__, str(error[1]), str(tb_offset)]

    error = ValueError("no")
    assert notebook.show(Shell(), ValueError, error, None, 1) == ["ValueError", "no", "1"]
