"""check(serve, behind=...): what a proxy must do, and what is said of one that does not.

The proxy is the one that lesson 05 gives as its solution.
"""

import contextlib
import io
import re
import socket

import nbformat
import pytest

from echo import epoll_server
from echo.lab import Crashed, Tape, check, start
from echo.lab.conformance import Failed, examine, title
from echo.lab.conformance.proxies import of_a_proxy
from tests.paths import ROOT

pytestmark = [  # a proxy that crashes leaves its sockets to the collector
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.usefixtures("collected"),
]
FIRST = "sends back what it receives"
THROUGH, CLOSES, SLEEPS, CLIENT, OTHER = FIVE = [
    "lets its clients through to the server behind",
    "closes a client when the server behind is gone",
    "sleeps when the server behind is gone",
    "survives an event for a client that it has just closed",
    "survives an event for the other end that it has just closed",
]
KNOWN = "            if fd not in ends:"
CARELESS = re.compile(rf"{KNOWN}.*\n +continue\n")
OF_A_CLIENT = "lambda pair: pair[0] in ends and ends[pair[0]].sock.getsockname() == at"
REGISTERS = re.compile(r"if one.interest:\n +poller.register\(one,")


@pytest.fixture(scope="module")
def solution():
    """The cells of the exercise: what it gives, and its solution."""
    notebook = nbformat.read(ROOT / "notebooks/05_epoll.ipynb", as_version=4)
    text = {cell.id: cell.source for cell in notebook.cells}
    code = re.search(r"```python\n(.*?)\n\n\ncheck", text["ex4-hints"], re.DOTALL)[1]
    imports = re.findall(r"(?m)^(?:import|from) .*", "\n".join(text.values()))
    return "\n".join([*imports, text["ex4-stub"], code])


@pytest.fixture
def cells(solution):
    """Makes the names that a learner has after running the cells, with a changed solution."""
    with contextlib.ExitStack() as stack:

        def run(change=lambda code: code):
            names = {"start": start}
            exec(compile(change(solution), "<proxy>", "exec"), names)
            stack.callback(names["behind"].stop)
            return names

        yield run


def unmet(names):
    """The requirements that its proxy does not meet: title -> conversation."""
    found = {}
    for one in of_a_proxy(names["behind"]):
        try:
            examine(names["proxy"], one)
        except Failed as failure:
            found[title(one)] = str(failure)
    return found


def test_they_are_asked_after_the_suite_and_counted_with_it(cells):
    names = cells()
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        check(names["proxy"], until=FIRST, behind=names["behind"])
    passed = [f"pass  {one}" for one in [FIRST, *FIVE]]
    assert printed.getvalue().splitlines() == [*passed, "", "6 of 6 requirements met by proxy()."]


def test_an_echo_is_no_proxy(cells):
    names = cells() | {"proxy": epoll_server.serve}
    assert "the server behind has not seen a client" in unmet(names)[THROUGH]


@pytest.mark.long
@pytest.mark.parametrize(
    ("in_order", "fails"),
    [
        ("poller.poll()", {CLIENT, OTHER}),  # as they became ready
        (f"sorted(poller.poll(), key={OF_A_CLIENT}, reverse=True)", {OTHER}),
        (f"sorted(poller.poll(), key={OF_A_CLIENT})", {CLIENT}),
    ],
    ids=["as it comes", "clients first", "clients last"],
)
def test_a_proxy_that_looks_up_what_is_gone_always_crashes(cells, in_order, fails):
    """In whichever order it looks at its events, one of the two has a dead one come last."""

    def careless(code):
        code = CARELESS.sub("", code, count=1).replace("poller.poll()", in_order)
        return code.replace("    ends = {}", "    ends, at = {}, listener.getsockname()")

    names = cells(careless)
    found = unmet(names)
    assert set(found) == fails
    assert all("the server crashed: KeyError" in text for text in found.values())


def test_a_proxy_that_closes_both_ends_at_once_is_told_so(cells):
    done, early = "end.finished and end.other.finished", "end.eof or end.other.eof"
    found = unmet(cells(lambda code: code.replace(done, early)))
    assert "the proxy closes a connection too early" in found[CLIENT]
    assert "the proxy closes a connection too early" in found[OTHER]


def test_an_end_that_wants_nothing_and_stays_on_the_list_wakes_it(cells):
    def stays(code):
        return REGISTERS.sub("poller.modify(one,", code.replace("poller.unregister(one)", "pass"))

    found = unmet(cells(stays))
    assert set(found) == {SLEEPS}


def test_a_refused_connection_may_not_raise(cells):
    found = unmet(cells(lambda code: code.replace("connect_ex(", "connect(")))
    assert "BlockingIOError" in found[THROUGH]


@pytest.mark.parametrize("which", range(5), ids=FIVE)
def test_cell_that_shows_it_again_runs(cells, which):
    """On a good proxy it raises nothing, and the server behind has its address back."""
    names = cells() | {"Tape": Tape}
    address = names["behind"].address
    one = of_a_proxy(names["behind"])[which]
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(one.again.format("proxy"), names)
        assert names["behind"].address == address
        assert str(names["tape"])
    finally:
        put_away(names)


def put_away(names):
    """What the cell leaves open, as a learner's last cell does."""
    names["server"].end()
    for one in names.values():
        if isinstance(one, socket.socket):
            one.close()


def test_cell_that_shows_it_again_shows_the_crash(cells):
    names = cells(lambda code: CARELESS.sub("", code, count=1)) | {"Tape": Tape}
    one = next(one for one in of_a_proxy(names["behind"]) if title(one) == CLIENT)
    try:
        with pytest.raises(Crashed, match="KeyError"):
            exec(one.again.format("proxy"), names)
    finally:
        put_away(names)
