"""The picture of a curve says in words what it shows, and what was recorded elsewhere."""

import subprocess
import sys
from xml.etree import ElementTree

import pytest

from echo.lab.show import curves
from echo.lab.show.curves import Curve, ratio, slope, verdict
from tests.paths import ROOT

LINEAR = Curve("idle", {"poll": {10: 1.0, 100: 10.0, 1000: 100.0}, "epoll": {10: 0.5, 1000: 0.5}})
MEMORY = Curve("memory", {"threaded": {0: 1e7, 1000: 3e7}, "epoll": {0: 1e7, 1000: 1.025e7}})
SVG = "{http://www.w3.org/2000/svg}"


def test_slope_and_ratio():
    """A lesson prints what follows from them, so they must be what they say."""
    assert slope(LINEAR, "poll") == pytest.approx(1)
    assert slope(LINEAR, "epoll") == 0
    assert ratio(LINEAR, "poll") == 100
    assert ratio(LINEAR, "poll", "epoll") == 200
    assert slope(MEMORY, "threaded") == 20_000
    assert ratio(MEMORY, "threaded", "epoll") == 80


@pytest.mark.parametrize(
    ("steep", "words"),
    [(1, "poll grows"), (0.51, "poll grows"), (0.3, "poll grows a little"), (0, "poll is flat")],
)
def test_a_slope_in_words(steep, words):
    assert verdict(Curve("idle", {"poll": {10: 1.0, 1000: 100.0**steep}})) == words


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "less than a kilobyte"), (20_000, "kilobytes"), (2_000_000, "megabytes")],
)
def test_memory_in_words(size, words):
    shown = Curve("memory", {"it": {0: 1e7, 1000: 1e7 + 1000 * size}})
    assert verdict(shown) == f"it: {words} a client"


# -- the picture ------------------------------------------------------------------------


@pytest.mark.parametrize("shown", [LINEAR, MEMORY], ids=["cost", "memory"])
def test_the_picture_says_in_words_what_it_shows(shown):
    """For a screen reader, a terminal, and paper."""
    data = shown._repr_mimebundle_()
    summary, *details = str(shown).splitlines()
    assert f'<img alt="{summary}"' in data["text/html"]
    assert f"<pre>{chr(10).join(details)}</pre>" in data["text/html"]
    assert data["text/plain"] == str(shown)
    assert verdict(shown) in summary
    tree = ElementTree.fromstring(curves.picture(shown))
    texts = [text.text for text in tree.iter(f"{SVG}text")]
    assert {*shown.costs, *curves.TITLES[shown.kind][:2]} <= {*texts}


def test_ends_of_a_line_in_words():
    assert "Here: poll 1 with 10, 100 with 1000; epoll 0.5 with 10, 0.5 with 1000." in str(LINEAR)
    assert "Here: threaded 20 with 1000; epoll 0.25 with 1000." in str(MEMORY)


def test_same_numbers_same_bytes():
    """Whoever stores the picture again does not change it without a cause."""
    assert curves.picture(LINEAR) == curves.picture(LINEAR)


def test_recorded_lines_are_gray_and_go_no_further_than_ours():
    """Behind the learner's own, of the same calls: what others cost is for a later lesson."""
    markup = curves.picture(Curve("idle", {"epoll": {10: 0.5, 300: 0.5}}))
    texts = [text.text for text in ElementTree.fromstring(markup).iter(f"{SVG}text")]
    assert {"epoll", f"gray: recorded on {curves.MACHINE}"} <= {*texts}
    assert not {"select", "poll"} & {*texts}
    assert markup.count(f"stroke: {curves.GRAY}") == 1
    assert "1 000" not in texts


@pytest.mark.parametrize("kind", ["idle", "ready", "memory"])
def test_what_is_recorded_has_the_shape_that_lessons_tell(kind):
    """Otherwise the gray lines would contradict the text beside them."""
    recorded = Curve(kind, curves.RECORDED_COSTS[kind])
    assert (
        verdict(recorded)
        == {
            "idle": "select grows, poll grows, epoll is flat",
            "ready": "select grows, poll grows, epoll grows",
            "memory": "threaded: kilobytes a client, epoll: less than a kilobyte a client",
        }[kind]
    )


# -- the stop button ----------------------------------------------------------------------

INTERRUPTS = """
import signal, sys
from echo.lab.show.curves import Curve

pressed = []

def press(event, arguments):
    "Just before a module is loaded that is in the middle of it."
    if event == "import" and arguments[0] == sys.argv[1] and not pressed:
        pressed.append(event)
        signal.raise_signal(signal.SIGINT)

sys.addaudithook(press)
shown = Curve("idle", {"epoll": {10: 0.5, 1000: 0.5}})
for _ in range(2):
    try:
        print("drawn" if "<img" in shown._repr_mimebundle_()["text/html"] else "nothing")
    except KeyboardInterrupt:
        print("interrupted")
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""


@pytest.mark.parametrize(
    "module",
    ["matplotlib.colors", "PIL.Image", "numpy.linalg"],
)
def test_interrupted_in_its_first_import_it_is_drawn_the_next_time(module):
    """Half of matplotlib stayed behind, and nothing was drawn until the kernel was restarted."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTS, module],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout.split(), done.stderr) == (["interrupted", "drawn", "True"], "")
