"""The map of the series tells the truth: which lessons there are, and which there will be."""

import json
import re
from xml.etree import ElementTree

import pytest

from echo.lab import map_of_the_series
from echo.lab.show.series import LESSONS
from tests import paths

PUZZLES = {lesson.name: lesson.puzzle for lesson in LESSONS}
SVG = "{http://www.w3.org/2000/svg}"


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


def test_drawing_and_words_agree(tmp_path):
    """Each lesson stands in the picture with its whole puzzle, and the legend says what is used."""
    drawing = map_of_the_series(folder=tmp_path)
    drawn = " ".join(text.text for text in ElementTree.fromstring(drawing.svg).iter(f"{SVG}text"))
    for lesson in LESSONS:
        assert f"{lesson.title()} {lesson.puzzle}" in drawn
    assert "you are here" in drawn
    assert "not in this folder yet" in drawn


def test_same_bytes_every_time(tmp_path):
    assert map_of_the_series(folder=tmp_path).svg == map_of_the_series(folder=tmp_path).svg


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_nothing_reaches_beyond_its_box(lesson, tmp_path):
    """A name in bold letters is wider than a puzzle of as many."""
    from echo.lab.show.series import BOX, LINE_LETTERS

    assert len(lesson.title()) * 6.8 + 14 < BOX
    assert max(map(len, lesson.puzzle.split())) <= LINE_LETTERS
