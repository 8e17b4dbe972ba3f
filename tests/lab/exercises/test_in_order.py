"""check_answer(in_order=True): each part answers a question of its own."""

import pytest

from echo.lab import check_answer


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (["sendto", "client 1"], "yes  sendto\nyes  client 1\n\nRight.\n"),
        (("SendTo", "client 1 "), "Right."),
        ((" sendto", "client,  1"), "Right."),
        (["client 1", "sendto"], "Not yet: the first and the second are wrong."),
        (["sendto", "listener"], "no   listener\n\nNot yet: the second is wrong."),
        (["sendto", ...], "Not attempted yet"),
        (["sendto"], "Not yet: 2 parts are needed, and you gave 1."),
    ],
)
def test_each_part_stands_in_its_place(answer, said, capsys):
    check_answer(answer, ["sendto", "client 1"], "A section", in_order=True)
    assert said in capsys.readouterr().out


def test_the_section_is_named(capsys):
    check_answer(["a", "b"], ["a", "c"], "A section", in_order=True)
    assert capsys.readouterr().out.endswith('"A section" shows why.\n')
