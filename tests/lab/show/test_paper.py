"""Every figure has its twin in words, can be read by everybody, and is the same each time."""

import base64
import html
import os
import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from echo.lab.display import light
from echo.lab.show.paper import Sheet
from echo.lab.show.timeline import timeline
from tests.lab.show.contrast import contrast
from tests.lab.show.drawn import IN, SELECT, SVG, tape_of
from tests.paths import ROOT
from tools import execute

CROWD = {f"client {number}": IN for number in range(1, 201, 2)}
DRAWINGS = {
    "timeline": timeline(tape_of(SELECT)),
    "side by side": timeline(a=tape_of(SELECT), b=tape_of([])),
    "as wide as can be": timeline(tape_of([("pselect6", CROWD, CROWD)] * 70)),
}


@pytest.mark.parametrize("drawing", DRAWINGS.values(), ids=DRAWINGS)
class TestPicture:
    def test_has_a_twin_in_words(self, drawing):
        bundle = drawing._repr_mimebundle_()
        assert set(bundle) == {"text/html", "text/plain"}
        assert bundle["text/plain"] == str(drawing) == repr(drawing)

    def test_is_an_image_with_its_name_and_then_its_words(self, drawing):
        """An inline <svg> is dropped by readers that do not trust a notebook."""
        name, data, words = re.fullmatch(
            r'<img alt="([^"]+)" style="max-width: max\(100%, 36rem\)" '
            r'src="data:image/svg\+xml;base64,(\S+)">\n'
            r"<details><summary>In words</summary>\n<pre>([^<]*)</pre></details>",
            drawing.markup,
        ).groups()
        assert f"{name}\n{html.unescape(words)}" == str(drawing)
        assert base64.b64decode(data).decode() == drawing.svg

    def test_lies_on_opaque_paper(self, drawing):
        """Of one color in light and dark themes: the first shape covers all."""
        svg = ElementTree.fromstring(drawing.svg)
        paper = svg.find(f"{SVG}rect")
        width, height = svg.get("viewBox").split()[2:]
        assert (paper.get("width"), paper.get("height")) == (width, height)
        assert paper.get("fill") == light("paper")
        assert "opacity" not in drawing.svg

    def test_needs_nothing_from_elsewhere(self, drawing):
        """As an <img>, it would not be given anything."""
        assert not re.search(r"<style|<script|<image|http(?!://www.w3.org)", drawing.svg)

    def test_shows_nothing_that_differs_from_run_to_run(self, drawing):
        output = {"output_type": "display_data", "data": drawing._repr_mimebundle_()}
        assert [*execute.unstable(output)] == []

    def test_letters_are_large_enough(self, drawing):
        """9 points are 12 pixels; nothing is below 11 pixels."""
        sizes = re.findall(r'font-size="([\d.]+)"', drawing.svg)
        assert sizes
        assert all(float(size) * 4 / 3 >= 11 for size in sizes)

    def test_is_not_made_smaller_to_fit(self, drawing):
        """What is left for outputs in a window of 1280 pixels was measured: 848."""
        width = float(ElementTree.fromstring(drawing.svg).get("width").removesuffix("pt"))
        assert width * 4 / 3 <= 848


SAME = """
import sys
from echo.lab import Tape, timeline
from echo.lab.record.calls import Call, Error
tape = Tape()
tape += [Call(at, at + 0.5, *call) for at, call in enumerate(CALLS)]
sys.stdout.write(timeline(tape).svg)
"""


def test_same_bytes_every_time():
    """Whatever the order of a set."""
    done = subprocess.run(
        [sys.executable, "-c", SAME.replace("CALLS", repr(SELECT))],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == timeline(tape_of(SELECT)).svg


LETTERS = [(ink, "paper") for ink in ("ink", "faint", "hatch")] + [
    ("paper", "work"),
    ("paper", "ink"),
    *(("ink", below) for below in ("wait", "gone", "new", "quiet")),
]


@pytest.mark.parametrize(("ink", "below"), LETTERS)
def test_contrast_of_letters_is_enough(ink, below):
    """4.5 : 1 for text of this size (WCAG 2.2, 1.4.3)."""
    assert contrast(light(ink), light(below)) >= 4.5


@pytest.mark.parametrize(
    ("shape", "beside"),
    [("work", "paper"), ("hatch", "paper"), ("hatch", "wait"), ("work", "wait")],
)
def test_contrast_of_shapes_is_enough(shape, beside):
    """3 : 1 for what must be told apart (WCAG 2.2, 1.4.11)."""
    assert contrast(light(shape), light(beside)) >= 3


def test_nothing_is_told_by_color_alone():
    """Hatched, solid, dashed: three patterns for three kinds."""
    sheet = Sheet(100, 100)
    for kind in ("wait", "work", "vain"):
        sheet.box(0, 0, 10, 10, kind)
    wait, work, vain = ElementTree.fromstring(sheet.svg).findall(f"{SVG}rect")[1:]
    assert wait.get("fill") == "url(#hatch)"
    assert work.get("fill") == light("work")
    assert (vain.get("fill"), vain.get("stroke-dasharray")) == (light("paper"), "3 2")


def test_no_figure_but_a_curve_needs_matplotlib():
    """Its import takes a second; and the servers run where nothing but Python is installed."""
    code = SAME.replace("CALLS", repr(SELECT)).replace("sys.stdout.write", "str")
    code += "\nprint('matplotlib' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
