"""One line of an animal put right: what the learner is told."""

import pytest

from echo.lab import check_repair

ELIF, IF = "elif event & WRITE:", "if event & WRITE:"


@pytest.mark.timing
def test_a_repaired_animal_meets_every_requirement(capsys):
    check_repair("uses_elif", f"            {ELIF}", IF)
    assert capsys.readouterr().out.startswith("Right. It meets all ")


@pytest.mark.timing
def test_what_is_still_wrong_is_shown(capsys):
    """By the conversation, as check() shows it."""
    check_repair("uses_elif", ELIF, "elif conn.unsent:")
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "Not repaired yet. It should still do this:"
    assert said[2] == "FAIL  answers a client that goes on sending"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (..., IF, "Not attempted yet: replace each ... by a line, as a string."),
        (ELIF, ..., "Not attempted yet: replace each ... by a line, as a string."),
        (31, IF, "Two strings, please: the line as it is now, and yours."),
        ("elif event", IF, "'elif event' is not a line of uses_elif.py: "),
        ("", IF, "'' is not a line of uses_elif.py: "),
        ("while True:", "while True", "This is no longer valid Python: expected ':' (line "),
    ],
)
def test_no_answer_yet(old, new, said, capsys):
    check_repair("uses_elif", old, new)
    assert capsys.readouterr().out.startswith(said)


def test_a_line_that_stands_twice(capsys):
    check_repair("drops_the_gone", "writing.discard(fd)", "pass")
    assert "lines of drops_the_gone.py: take one that is there" in capsys.readouterr().out
