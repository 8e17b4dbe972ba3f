"""What source() and diff() show is the file that runs, and everybody can read it."""

import html
import inspect
import itertools
import os
import queue
import re
import sched
import subprocess
import sys
import types
from html.parser import HTMLParser

import pytest

from echo.lab.display import PALETTE
from echo.lab.show import code as code_module
from echo.lab.show.code import Piece, diff, source
from tests.lab.show.contrast import contrast

OLD = Piece(
    "poll_server.py",
    "import select\n\n\ndef serve(listener):\n    poller = select.poll()\n    while 1 < 2:\n"
    "        pass\n",
)
NEW = OLD._replace(name="epoll_server.py", text=OLD.text.replace("poll()", "epoll()"))


class Words(HTMLParser):
    """The text of a page without its style sheet: what is seen where styles are dropped."""

    def __init__(self, markup):
        super().__init__()
        self.open, self.text = [], ""
        self.feed(markup)
        assert not self.open, "a tag is not closed"

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, "tags are not nested"

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data


def shown_lines(markup):
    return Words(markup).text.splitlines()


def generated():
    """A server with a text of its own, as the zoo makes them."""
    server = types.SimpleNamespace(__source__="def serve(listener):\n    ...\n")
    server.__name__ = "forgetful"
    return server


class TestSource:
    @pytest.mark.parametrize(
        "shown", [queue, queue.Queue, queue.Queue.put], ids=["module", "class", "function"]
    )
    def test_text_is_what_inspect_finds(self, shown):
        assert str(source(shown)) == inspect.getsource(shown)

    def test_plain_twin_is_the_bare_source(self):
        bundle = source(queue)._repr_mimebundle_()
        assert set(bundle) == {"text/plain", "text/html"}
        assert bundle["text/plain"] == str(source(queue))
        assert bundle["text/html"] == source(queue).markup

    def test_numbers_are_those_of_the_file(self):
        """A call-out says "line 27", and a traceback says so too."""
        lines, first = inspect.getsourcelines(queue.Queue.put)
        seen = shown_lines(source(queue.Queue.put).markup)
        assert seen == [f"{number} {line}".rstrip("\n") for number, line in enumerate(lines, first)]

    def test_a_module_begins_with_line_one(self):
        seen = shown_lines(source(queue).markup)
        assert seen[0].split()[:2] == ["1", str(source(queue)).split()[0]]

    def test_an_object_may_offer_its_own_text(self):
        assert str(source(generated())) == generated().__source__
        assert code_module.piece(generated()).name == "forgetful"

    @pytest.mark.parametrize("nothing", [7, len, sys], ids=["number", "C function", "C module"])
    def test_says_what_has_no_source(self, nothing):
        with pytest.raises(TypeError, match="there is no source to show of"):
            source(nothing)

    def test_without_pygments_the_words_are_the_same(self, monkeypatch):
        with_colors = shown_lines(code_module.source_html(OLD))
        monkeypatch.setitem(sys.modules, "pygments.lexers", None)
        assert shown_lines(code_module.source_html(OLD)) == with_colors

    def test_kinds_of_words_are_colored(self):
        lines = code_module.colored("def f():  # why\n    return 'a' + 1\n")
        assert lines[0].startswith('<span class="keyword">def</span> <span class="name">f</span>')
        assert lines[0].endswith('<span class="comment"># why</span>')
        assert "<span class=\"string\">'a'</span>" in lines[1]
        assert '<span class="number">1</span>' in lines[1]

    @pytest.mark.parametrize("text", ["", "\n", "a", "a\n", "\n\na\n\n", "'''\n\n'''\n", "x = (\n"])
    def test_every_line_is_there(self, text):
        assert len(code_module.colored(text)) == len(code_module.lines_of(text))


class TestDiff:
    def test_plain_twin_is_a_unified_diff(self):
        text = code_module.diff_text(OLD, NEW)
        assert text.splitlines()[:2] == ["--- poll_server.py", "+++ epoll_server.py"]
        assert "-    poller = select.poll()\n+    poller = select.epoll()" in text
        assert diff(queue, sched)._repr_mimebundle_()["text/plain"] == str(diff(queue, sched))

    def test_html_tells_by_marks_what_the_plain_twin_tells(self):
        """Color is never the only sign, and may be absent."""
        seen = shown_lines(diff(queue, sched).markup)
        for mark in " -+":
            lines = str(diff(queue, sched)).splitlines()[2:]
            told = [line[1:] for line in lines if line[0] == mark]
            matches = [re.match(rf" *\d* +\d* +{re.escape(mark)} (.*)", line) for line in seen]
            if mark == " ":
                matches = [re.match(r" *\d+ +\d+   (.*)", line) for line in seen]
                told = [line for line in told if line[:2] != "@ "]
            assert [match[1] for match in matches if match] == told

    def test_each_line_has_its_number_in_either_file(self):
        """A lesson that says "line 5" means one of them."""
        assert [line for line in shown_lines(code_module.diff_html(OLD, NEW)) if line] == [
            "- poll_server.py",
            "+ epoll_server.py",
            "2 2   ",
            "3 3   ",
            "4 4   def serve(listener):",
            "5   -     poller = select.poll()",
            "  5 +     poller = select.epoll()",
            "6 6       while 1 < 2:",
            "7 7           pass",
        ]

    def test_words_that_differ_are_emphasized(self):
        markup = code_module.diff_html(OLD, NEW)
        assert "select.<b>poll</b>()" in markup
        assert "select.<b>epoll</b>()" in markup

    def test_lines_with_little_in_common_are_not(self):
        assert code_module.bold("a = 1 < 2", "while True:") == ("a = 1 &lt; 2", "while True:")

    def test_only_what_differs_is_shown(self):
        old = Piece("a", "".join(f"{number}\n" for number in range(100)))
        new = old._replace(name="b", text=old.text.replace("10\n", "ten\n").replace("90\n", "x\n"))
        markup = code_module.diff_html(old, new)
        assert Words(markup).text.count("...") == 1
        assert len([line for line in shown_lines(markup) if line]) < 25
        assert len(shown_lines(code_module.diff_html(old, new, whole=True))) > 100
        assert code_module.diff_text(old, new, whole=True).count("@@") == 2

    def test_whole_shows_both_files_whole(self):
        rows = [
            pair
            for group in code_module.groups([*"abcd"], [*"abxyd"], whole=True)
            for pair in group
        ]
        assert [*itertools.chain(*("abcd"[r.i : r.j] for r in rows))] == [*"abcd"]
        assert [*itertools.chain(*("abxyd"[r.k : r.m] for r in rows))] == [*"abxyd"]

    def test_says_so_where_nothing_differs(self):
        assert str(diff(queue, queue)) == "queue.py and queue.py do not differ"
        assert "do not differ" in diff(queue, queue).markup

    def test_names_both(self):
        assert shown_lines(diff(queue.Queue, sched.scheduler).markup)[:2] == [
            "- Queue",
            "+ scheduler",
        ]
        assert 'aria-label="Queue beside scheduler"' in diff(queue.Queue, sched.scheduler).markup


@pytest.mark.parametrize("shown", [source(queue), diff(queue, sched)], ids=["source", "diff"])
class TestMarkup:
    def test_code_is_escaped(self, shown):
        """Left as it is, the `<` of a comparison would begin a tag."""
        body = shown.markup.partition("</style>")[2]
        without_tags = html.unescape(re.sub(r"</?[a-z][^<>]*>", "", body))
        assert without_tags == Words(shown.markup).text

    def test_no_script_and_nothing_from_elsewhere(self, shown):
        assert not re.search(r"<script|<link|<img|url\(|@import", shown.markup)


def test_same_bytes_every_time():
    """Stored HTML is compared; the order of a set would differ from run to run."""
    code = "import queue, sched; from echo.lab.show.code import *; print(source(queue).markup)"
    code += "; print(diff(queue, sched).markup)"
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in "12"
    ]
    assert runs[0] == runs[1]


INKS = [(ink, paper) for ink in ("ink", "faint") for paper in ("paper", "gone", "new")]
INKS += [(ink, "paper") for _, ink in code_module.WORDS.values()]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "paper"), INKS)
def test_contrast_is_enough(ink, paper, theme):
    """4.5 : 1 for text of this size (WCAG 2.2, 1.4.3)."""
    assert contrast(PALETTE[ink][theme], PALETTE[paper][theme]) >= 4.5


def test_importing_the_module_imports_no_ipython():
    """The servers and their tests run where nothing but Python is installed."""
    code = "import sys, echo.lab.show; print({'IPython', 'pygments'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
