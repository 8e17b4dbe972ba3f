"""The map of the series tells the truth: which lessons there are, and which there will be."""

import json
import re

import pytest

from echo.lab import map_of_the_series
from echo.lab.show.series import LESSONS, SERIES
from tests import paths
from tests.lab.show.drawn import looks_of, rows_of

PUZZLES = {lesson.name: lesson.puzzle for lesson in LESSONS}


def words(text):
    """Those that say something."""
    return set(re.findall(r"\w{4,}", text.lower()))


def test_lessons_are_numbered_from_nothing_on():
    assert [name[:3] for name in PUZZLES] == [f"{number:02}_" for number in range(len(PUZZLES))]


@pytest.mark.parametrize("path", paths.LESSONS, ids=lambda path: path.stem)
def test_every_notebook_is_on_the_map(path):
    """With its puzzle, shorter perhaps: most of its words are among those that the lesson opens."""
    assert path.stem in PUZZLES
    first = json.loads(path.read_text(encoding="utf-8"))["cells"][0]
    said = words(PUZZLES[path.stem])
    assert len(said & words("".join(first["source"]))) > len(said) / 2


def test_readme_has_the_same_table():
    """Name and puzzle, and a link where there is a notebook."""
    readme = (paths.ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| (\[?)(\d\d_\w+)\S* \| (.+?) \|", readme)
    assert {name: puzzle for _, name, puzzle in rows} == PUZZLES
    assert {name for link, name, _ in rows if link} == {path.stem for path in paths.LESSONS}


def test_what_is_not_there_is_said_to_be_missing(tmp_path):
    """A learner must not look for a lesson that she does not have."""
    (tmp_path / "03_select.ipynb").touch()
    (tmp_path / "notes.ipynb").touch()
    text = str(map_of_the_series(folder=tmp_path))
    assert "11 lessons, to be read in this order; 2 of them are in this folder." in text
    assert "00 start here (you are here): Two clients" in text
    assert "03 select (in this folder): How does" in text
    assert text.count("(not in this folder yet)") == len(LESSONS) - 2


def test_one_is_here_even_where_it_lies_alone(tmp_path):
    text = str(map_of_the_series("10_your_server", tmp_path))
    assert "1 of them is in this folder." in text
    assert "10 your server (you are here): A client types" in text


def test_table_and_words_agree(tmp_path):
    """Each lesson stands in the table with its whole puzzle; a part is named once."""
    (tmp_path / "03_select.ipynb").touch()
    shown = map_of_the_series(folder=tmp_path)
    rows = rows_of(shown.markup)[1:]
    assert [row[-3:-1] for row in rows] == [[one.title(), one.puzzle] for one in LESSONS]
    assert [row[0] for row in rows if len(row) == 4] == [*SERIES]
    for *_, title, puzzle, mark in rows:
        assert f"  {title} ({mark}): {puzzle}" in str(shown).splitlines()
    assert looks_of(shown.markup) == ["work", *["vain"] * (len(LESSONS) - 2)]


def test_same_bytes_every_time(tmp_path):
    assert map_of_the_series(folder=tmp_path).markup == map_of_the_series(folder=tmp_path).markup
