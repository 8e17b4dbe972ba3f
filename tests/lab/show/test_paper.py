"""Every figure has its twin in words, can be read by everybody, and is the same each time."""

import os
import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from echo.lab.show import paper
from echo.lab.show.models import five_models
from echo.lab.show.paper import PALETTE
from echo.lab.show.timeline import timeline
from tests.lab.show.contrast import contrast
from tests.lab.show.drawn import MODELS, SELECT, SVG, tape_of
from tests.paths import ROOT
from tools import execute


@pytest.mark.parametrize(
    "drawing",
    [timeline(tape_of(SELECT)), timeline(a=tape_of(SELECT), b=tape_of([])), five_models(MODELS)],
    ids=["timeline", "side by side", "models"],
)
class TestPicture:
    def test_has_a_twin_in_words(self, drawing):
        bundle = drawing._repr_mimebundle_()
        assert set(bundle) == {"text/html", "text/plain"}
        assert bundle["text/plain"] == str(drawing) == repr(drawing)

    def test_a_screen_reader_says_the_same(self, drawing):
        svg = ElementTree.fromstring(drawing.svg)
        assert svg.get("role") == "img"
        assert f"{svg.get('aria-label')}\n{svg.find(f'{SVG}desc').text}" == str(drawing)

    def test_lies_on_opaque_paper(self, drawing):
        """Of one colour in light and dark themes: the first path covers all."""
        svg = ElementTree.fromstring(drawing.svg)
        path = next(svg.iter(f"{SVG}path"))
        width, height = svg.get("viewBox").split()[2:]
        assert f"fill: {PALETTE['paper']}" in path.get("style")
        assert f"L {width} {height} L {width} 0" in path.get("d")
        assert "opacity" not in drawing.svg

    def test_concerns_nothing_else_on_its_page(self, drawing):
        """A style sheet or an id would: several figures stand in one document."""
        assert not re.search(r"<style|<script|<image|<metadata|http(?!://www.w3.org)", drawing.svg)
        assert all(found.startswith("h") for found in re.findall(r'\bid="([^"]*)"', drawing.svg))

    def test_shows_nothing_that_differs_from_run_to_run(self, drawing):
        output = {"output_type": "display_data", "data": drawing._repr_mimebundle_()}
        assert [*execute.unstable(output)] == []

    def test_letters_are_large_enough(self, drawing):
        """9 points are 12 pixels; nothing is below 7."""
        sizes = re.findall(r"font-size: ([\d.]+)px", drawing.svg)
        assert all(float(size) >= 7 for size in sizes)


SAME = """
import sys, matplotlib.style
matplotlib.style.use("dark_background")
matplotlib.rcParams["svg.fonttype"] = "path"
from echo.lab import Tape, timeline
from echo.lab.record.calls import Call, Error
tape = Tape()
tape += [Call(at, at + 0.5, *call) for at, call in enumerate(CALLS)]
sys.stdout.write(timeline(tape).svg)
"""


def test_same_bytes_every_time():
    """Whatever the order of a set, and whatever the reader prefers for figures of her own."""
    done = subprocess.run(
        [sys.executable, "-c", SAME.replace("CALLS", repr(SELECT))],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == timeline(tape_of(SELECT)).svg


@pytest.mark.parametrize(
    ("ink", "below"),
    [("ink", "paper"), ("faint", "paper"), ("paper", "work"), ("paper", "ink")],
)
def test_contrast_of_letters_is_enough(ink, below):
    """4.5 : 1 for text of this size (WCAG 2.2, 1.4.3)."""
    assert contrast(PALETTE[ink], PALETTE[below]) >= 4.5


@pytest.mark.parametrize(
    ("shape", "beside"),
    [("work", "paper"), ("hatch", "paper"), ("hatch", "wait"), ("work", "wait")],
)
def test_contrast_of_shapes_is_enough(shape, beside):
    """3 : 1 for what must be told apart (WCAG 2.2, 1.4.11)."""
    assert contrast(PALETTE[shape], PALETTE[beside]) >= 3


def test_nothing_is_told_by_colour_alone():
    """Hatched, solid, dashed: three patterns for three kinds."""
    kinds = [paper.Sheet.BOXES[kind] for kind in ("wait", "work", "vain")]
    assert len({(look.get("hatch"), look.get("dashed", False)) for look in kinds}) == 3


def test_importing_the_module_imports_no_matplotlib():
    """The servers and their tests run where nothing but Python is installed."""
    code = "import sys, echo.lab.show.timeline; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
