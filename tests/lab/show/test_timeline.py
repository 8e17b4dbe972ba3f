"""What a figure draws is what was recorded, its words say the same, and everybody can read it."""

import os
import re
import runpy
import subprocess
import sys
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from test_show import contrast

from echo import blocking_server, epoll_server, nonblocking_server, select_server, threaded_server
from echo.lab import Tape, figures, start
from echo.lab.figures import PALETTE, Phase, five_models, people, steps_of, timeline
from echo.lab.trace import Call
from tests.paths import ROOT

execute = SimpleNamespace(**runpy.run_path(str(ROOT / "tools" / "execute.py")))
SVG = "{http://www.w3.org/2000/svg}"

SELECT = [  # name, who, result: a client comes, is echoed one byte, and leaves
    ("pselect6", "[listener], []", "[listener], []"),
    ("accept4", "listener", "client 1"),
    ("accept4", "listener", "EAGAIN"),
    ("pselect6", "[listener, client 1], [client 1]", "[client 1], [client 1]"),
    ("recvfrom", "client 1", "1"),
    ("sendto", "client 1", "1"),
    ("close", "client 1", "0"),
]
MODELS = {
    "blocking": ("asleep in recvfrom", Phase("", ["recvfrom"], (5, 0))),
    "non-blocking": (Phase("running", ["recvfrom"] * 2000, 0), Phase("", ["recvfrom"], (5, 0))),
    "asynchronous": (Phase(), Phase("", [], 0)),
}


def tape_of(calls, blocking=()):
    """A tape of calls that came one after the other."""
    tape = Tape()
    tape += [Call(number, number + 0.5, *call) for number, call in enumerate(calls)]
    tape.blocking.update(blocking)
    return tape


def drawn_words(drawing):
    """Every text in the picture, as (letters, whether they stand upright)."""
    texts = ElementTree.fromstring(drawing.svg).iter(f"{SVG}text")
    return [(text.text, "rotate(-90" in text.get("transform")) for text in texts]


def headings(drawing):
    """What stands above the columns, from left to right."""
    known = {step.heading() for step in steps_of(tape_of(SELECT))}
    return [text for text, upright in drawn_words(drawing) if upright and text in known]


def two_clients(serve):
    """The timeline of a server of whose two clients the second speaks, and its tape."""
    tape = Tape()
    with start(serve, tape) as server:
        silent, client = server.connect(), server.connect()
        client.send(b"hello")
        drawing = timeline(tape)
        silent.close()
        client.close()
    return drawing


class TestTimeline:
    def test_tells_each_call_in_order(self):
        assert str(timeline(tape_of(SELECT))).splitlines() == [
            "Timeline by order. 7 calls, 2 waits among them.",
            "  1 pselect6 waits for listener: listener is readable",
            "  2 accept4, listener: client 1",
            "  3 accept4, listener: EAGAIN",
            (
                "  4 pselect6 waits for listener, client 1 (to read and to write): "
                "client 1 is readable and writable"
            ),
            "  5 recvfrom, client 1: 1 byte",
            "  6 sendto, client 1: 1 byte",
            "  7 close, client 1",
        ]

    def test_draws_what_it_tells(self):
        """A column for each line, a lane for the listener and each client."""
        drawing = timeline(tape_of(SELECT))
        assert headings(drawing) == [name for name, _, _ in SELECT]
        words = [text for text, _ in drawn_words(drawing)]
        assert {"listener", "client 1", "RW", "w", "7"} <= set(words)
        assert "8" not in words

    def test_waiting_is_apart_from_working(self):
        """A call of a blocking socket may sleep; the same call of another returns at once."""
        kinds = [step.kind for step in steps_of(tape_of(SELECT))]
        assert kinds == ["wait", "work", "vain", "wait", "work", "work", "work"]
        blocking = {("accept4", "listener"), ("recvfrom", "client 1"), ("sendto", "client 1")}
        calls = [call for call in SELECT if call[0] != "pselect6" and call[2] != "EAGAIN"]
        kinds = [step.kind for step in steps_of(tape_of(calls, blocking))]
        assert kinds == ["wait", "wait", "work", "work"]

    @pytest.mark.timing
    def test_select_server_with_two_clients(self):
        drawing = two_clients(select_server.serve)
        assert drawing.details[-4:] == [
            "  7 pselect6 waits for listener, client 1 and client 2: client 2 is readable",
            "  8 recvfrom, client 2: 5 bytes",
            "  9 sendto, client 2: 5 bytes",
            " 10 pselect6 waits for listener, client 1 and client 2: asleep",
        ]
        assert drawing.svg == two_clients(select_server.serve).svg

    @pytest.mark.timing
    def test_blocking_server_with_two_clients(self):
        assert two_clients(blocking_server.serve).details == [
            "  1 accept4 waits for listener: client 1",
            "  2 recvfrom waits for client 1: asleep",
        ]

    @pytest.mark.timing
    def test_a_thread_sleeps_from_its_call_on(self):
        """Three threads wait at once; one of them began before the others had done their work."""
        tape = Tape()
        with start(threaded_server.serve, tape) as server:
            clients = [server.connect(), server.connect()]
            clients[1].send(b"hello")
            steps = steps_of(tape)
            for client in clients:
                client.close()
        asleep = [([*step.asked], step.first) for step in steps if step.asleep]
        assert asleep == [(["listener"], 2), (["client 1"], 1), (["client 2"], 4)]

    @pytest.mark.timing
    def test_what_is_asked_in_vain_again_and_again_is_drawn_once(self):
        """How often differs from run to run."""
        drawing = two_clients(nonblocking_server.serve)
        assert drawing.details[4:8] == [
            "  5 accept4, listener: client 2",
            "  6 accept4, listener: EAGAIN, again and again",
            "  7 recvfrom, client 1: EAGAIN, again and again",
            "  8 recvfrom, client 2: EAGAIN, again and again",
        ]
        assert drawing.svg == two_clients(nonblocking_server.serve).svg

    @pytest.mark.timing
    def test_epoll_waits_for_its_interest_list(self):
        assert (
            two_clients(epoll_server.serve)
            .details[-1]
            .endswith("epoll_wait waits for listener, client 1 and client 2: asleep")
        )

    def test_who_left_the_interest_list_is_not_waited_for(self):
        calls = [
            ("epoll_create1", "", "epoll"),
            ("epoll_ctl", "ADD listener IN", "0"),
            ("epoll_ctl", "ADD client 1 IN|ET", "0"),
            ("epoll_ctl", "MOD client 1 IN|OUT", "0"),
            ("epoll_wait", "", "[client 1 IN|HUP]"),
            ("epoll_ctl", "DEL client 1", "0"),
            ("epoll_wait", "", "[listener IN]"),
        ]
        assert timeline(tape_of(calls)).details == [
            "  1 epoll_create1, epoll",
            "  2 epoll_ctl ADD, listener: IN",
            "  3 epoll_ctl ADD, client 1: IN|ET",
            "  4 epoll_ctl MOD, client 1: IN|OUT",
            (
                "  5 epoll_wait waits for listener, client 1 (to read and to write): "
                "client 1 is readable, has HUP"
            ),
            "  6 epoll_ctl DEL, client 1",
            "  7 epoll_wait waits for listener: listener is readable",
        ]

    def test_a_tape_that_was_cleared_does_not_know_who_is_in_the_interest_list(self):
        """It says so, and counts in whoever is heard of."""
        words = timeline(tape_of([("epoll_wait", "", "[client 1 IN]")])).details
        assert words == ["  1 epoll_wait waits for client 1: client 1 is readable", figures.LATE]
        drawing = timeline(tape_of([("epoll_wait", "", "[]")]))
        assert drawing.details[0] == "  1 epoll_wait waits for its interest list"
        assert figures.LATE in [text for text, _ in drawn_words(drawing)]

    def test_several_stand_side_by_side(self):
        """Each under its name, on the same lanes."""
        drawing = timeline(one=tape_of(SELECT), another=tape_of(SELECT[:3]))
        words = [text for text, _ in drawn_words(drawing)]
        assert words.count("listener") == 1
        assert {"one", "another"} <= set(words)
        assert len(headings(drawing)) == 10
        assert [line for line in drawing.details if line.endswith(":")] == ["one:", "another:"]

    def test_a_long_tape_goes_on_below_and_ends(self):
        """As it does in its words."""
        drawing = timeline(tape_of(SELECT * 20))
        assert len(headings(drawing)) == figures.MOST_STEPS
        assert drawing.details[-1] == "and 80 calls more"
        assert any("80 calls more" in text for text, _ in drawn_words(drawing))
        assert timeline(tape_of(SELECT * 40)).details[-1] == "and more than 100 calls more"

    def test_a_crowd_shares_a_lane_and_a_figure_stays_small(self):
        everybody = ", ".join(f"client {number}" for number in range(1, 201, 2))
        calls = [("pselect6", f"[{everybody}], [{everybody}]", f"[{everybody}], []")] * 70
        drawing = timeline(tape_of(calls))
        words = [text for text, _ in drawn_words(drawing)]
        assert words.count("asleep") == 0
        assert len([word for word in words if word.startswith("client")]) == 2 * 12
        few = timeline(tape_of(SELECT * 20))
        assert len(few.svg) < 60_000

    def test_a_tape_without_calls(self):
        assert timeline(Tape()).details == ["no call yet"]

    @pytest.mark.parametrize("nothing", [None, 7, select_server])
    def test_says_what_is_no_tape(self, nothing):
        with pytest.raises(TypeError, match="Tape"):
            timeline(nothing)


class TestModels:
    def test_tells_what_was_measured(self):
        assert five_models(MODELS).details == [
            "blocking",
            "  waiting for data: asleep in recvfrom",
            "  copying it to the program: at work; calls recvfrom; kernel holds 5 bytes, then 0",
            "non-blocking",
            "  waiting for data: running; calls recvfrom more than 100 times; kernel holds 0 bytes",
            "  copying it to the program: at work; calls recvfrom; kernel holds 5 bytes, then 0",
            "asynchronous",
            "  waiting for data: neither asleep nor at work; makes no call",
            (
                "  copying it to the program: neither asleep nor at work; makes no call; "
                "kernel holds 0 bytes"
            ),
        ]

    def test_draws_what_it_tells(self):
        drawing = five_models(MODELS)
        drawn = " ".join(text for text, _ in drawn_words(drawing))
        for line in drawing.details:
            said = line.rpartition(": ")[2].strip()
            assert all(part in drawn for part in said.split("; "))

    def test_of_a_tape_it_takes_the_calls(self):
        calls = tape_of([*[("recvfrom", "client 1", "EAGAIN")] * 3, ("recvfrom", "client 1", "5")])
        assert figures.listed(calls) == "recvfrom = EAGAIN 3 times, recvfrom"

    @pytest.mark.parametrize("rows", [{}, {"blocking": ("asleep in recvfrom",)}])
    def test_says_what_is_missing(self, rows):
        with pytest.raises(TypeError, match="waiting, copying"):
            five_models(rows)


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
from echo.lab.trace import Call
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
    kinds = [figures.Sheet.BOXES[kind] for kind in ("wait", "work", "vain")]
    assert len({(look.get("hatch"), look.get("dashed", False)) for look in kinds}) == 3


@pytest.mark.parametrize(
    ("lanes", "said"),
    [
        (["listener"], "listener"),
        (["client 2", "client 1"], "client 1 and client 2"),
        (["client 2", "client 10", "client 1", "client 3"], "clients 1 to 3 and client 10"),
        ([], ""),
    ],
)
def test_people(lanes, said):
    assert people(lanes) == said


def test_importing_the_module_imports_no_matplotlib():
    """The servers and their tests run where nothing but Python is installed."""
    code = "import sys, echo.lab.figures; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
