"""Curves: their shape is the same on every run, and the picture says in words what it shows."""

import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from echo.lab import curves
from echo.lab.curves import Curve, curve, memory, ratio, slope, verdict
from echo.lab.process import Unusable

ROOT = Path(__file__).parent.parent
LINEAR = Curve("idle", {"poll": {10: 1.0, 100: 10.0, 1000: 100.0}, "epoll": {10: 0.5, 1000: 0.5}})
MEMORY = Curve("memory", {"threaded": {0: 1e7, 1000: 3e7}, "epoll": {0: 1e7, 1000: 1.025e7}})
SVG = "{http://www.w3.org/2000/svg}"


def under_a_limit(files, code):
    """What `code` prints in a process that may never have more open files."""
    before = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({files}, {files}))"
    names = "from echo.lab import curve, memory, ratio, verdict"
    return subprocess.run(
        [sys.executable, "-c", f"{before}; {names}; {code}"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture(scope="module")
def idle():
    return curve()


@pytest.fixture(scope="module")
def ready():
    return curve(ready=True)


# -- the shape --------------------------------------------------------------------------


@pytest.mark.timing
def test_beside_idle_descriptors_only_epoll_is_flat(idle):
    """That is what epoll is for."""
    assert verdict(idle) == "select grows, poll grows, epoll is flat"
    assert [round(slope(idle, name)) for name in curves.CALLS] == [1, 1, 0]
    assert ratio(idle, "poll", "epoll") > 100


@pytest.mark.timing
def test_with_all_ready_nobody_is_flat(ready):
    """And epoll, which takes each from a list and puts it back, is the slowest."""
    assert verdict(ready) == "select grows, poll grows, epoll grows"
    assert ratio(ready, "epoll", "poll") > 1


@pytest.mark.timing
def test_a_thread_is_kilobytes_and_a_place_in_a_list_is_not():
    """Lesson 7 asks what an idle client costs."""
    shown = memory()
    assert verdict(shown) == "threaded: kilobytes a client, epoll: less than a kilobyte a client"
    assert ratio(shown, "threaded", "epoll") > 10


def test_select_goes_as_far_as_it_can(idle):
    """To 1000: the next step would have a descriptor that it cannot take."""
    assert [*idle.costs["select"]] == [10, 30, 100, 300, 1000]
    assert [*idle.costs["poll"]] == [*idle.costs["epoll"]] == [*curves.sizes_up_to(10_000)]


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


# -- what can be asked ------------------------------------------------------------------


def test_some_calls_and_fewer_descriptors(capsys):
    """Lesson 3 knows select only."""
    assert {*curve("select").costs} == {"select"}
    assert max(curve("epoll", up_to=200).costs["epoll"]) == 200
    assert capsys.readouterr().out == ""  # nothing was reduced


def test_nonsense_is_refused_in_words():
    with pytest.raises(ValueError, match="kqueue"):
        curve("kqueue")
    with pytest.raises(ValueError, match="fewer than 100"):
        curve(up_to=10)
    with pytest.raises(ValueError, match="fewer than 100"):
        memory(clients=10)
    with pytest.raises(Unusable, match="ended before it listened"):
        memory("kqueue")


def test_a_server_for_one_client_has_no_curve():
    with pytest.raises(RuntimeError, match="so many clients at once"):
        memory("blocking", clients=100)


def test_nothing_of_it_stays():
    """Neither descriptors of ours, nor a higher limit."""
    before = os.listdir("/proc/self/fd"), resource.getrlimit(resource.RLIMIT_NOFILE)
    curve("poll", up_to=100)
    memory("poll", clients=100)
    assert before == (os.listdir("/proc/self/fd"), resource.getrlimit(resource.RLIMIT_NOFILE))


@pytest.mark.timing
@pytest.mark.parametrize("files", [256, 1024, 4096])
def test_where_few_files_may_be_open_the_shape_is_the_same(files):
    """And one more line says so; sanitize.cfg drops it."""
    done = under_a_limit(files, "c = curve(); print(verdict(c), ratio(c, 'poll', 'epoll') > 30)")
    first, *rest = done.stdout.splitlines()
    assert re.fullmatch(r"reduced: to (100|1000|3000) descriptors; no process .*", first)
    assert rest == [f"select grows, poll grows, epoll is flat {files > 1000}"]


def test_where_few_files_may_be_open_fewer_clients_come():
    done = under_a_limit(512, "m = memory('epoll'); print(verdict(m))")
    first, *rest = done.stdout.splitlines()
    assert re.fullmatch(r"reduced: to 400 clients; .*", first)
    assert rest == ["epoll: less than a kilobyte a client"]


def test_where_hardly_any_file_may_be_open_there_is_no_curve():
    done = under_a_limit(32, "curve()")
    assert "RuntimeError: no shape to see" in done.stderr


# -- the picture ------------------------------------------------------------------------


@pytest.mark.parametrize("shown", [LINEAR, MEMORY], ids=["cost", "memory"])
def test_the_picture_says_in_words_what_it_shows(shown):
    """For a screen reader, a terminal, and paper."""
    data = shown._repr_mimebundle_()
    tree = ElementTree.fromstring(data["text/html"])
    assert tree.attrib["role"] == "img"
    assert tree.attrib["aria-label"] == data["text/plain"] == str(shown)
    assert verdict(shown) in data["text/plain"]
    texts = [text.text for text in tree.iter(f"{SVG}text")]
    assert {*shown.costs, *curves.TITLES[shown.kind][:2]} <= {*texts}


def test_ends_of_a_line_in_words():
    assert "Here: poll 1 with 10, 100 with 1000; epoll 0.5 with 10, 0.5 with 1000." in str(LINEAR)
    assert "Here: threaded 20 with 1000; epoll 0.25 with 1000." in str(MEMORY)


def test_same_numbers_same_bytes():
    """Whoever stores the picture again does not change it without a cause."""
    assert curves.picture(LINEAR) == curves.picture(LINEAR)


def test_recorded_lines_are_grey_and_go_no_further_than_ours():
    """Behind the learner's own, of the same calls: what others cost is for a later lesson."""
    markup = curves.picture(Curve("idle", {"epoll": {10: 0.5, 300: 0.5}}))
    texts = [text.text for text in ElementTree.fromstring(markup).iter(f"{SVG}text")]
    assert {"epoll", f"grey: recorded on {curves.MACHINE}"} <= {*texts}
    assert not {"select", "poll"} & {*texts}
    assert markup.count(f"stroke: {curves.GREY}") == 1
    assert "1 000" not in texts


@pytest.mark.parametrize("kind", ["idle", "ready", "memory"])
def test_what_is_recorded_has_the_shape_that_lessons_tell(kind):
    """Otherwise the grey lines would contradict the text beside them."""
    recorded = Curve(kind, curves.RECORDED[kind])
    assert (
        verdict(recorded)
        == {
            "idle": "select grows, poll grows, epoll is flat",
            "ready": "select grows, poll grows, epoll grows",
            "memory": "threaded: kilobytes a client, epoll: less than a kilobyte a client",
        }[kind]
    )
