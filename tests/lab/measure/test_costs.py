"""Costs have the same shape on every run, and what a machine cannot measure is said."""

import os
import re
import resource
import subprocess
import sys

import pytest

from echo.lab.kernel.processes import own_descriptors
from echo.lab.measure import costs
from echo.lab.measure.costs import curve, memory
from echo.lab.run.process import Unusable
from echo.lab.show.curves import ratio, slope, verdict
from tests.paths import ROOT


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
    assert [round(slope(idle, name)) for name in costs.CALLS] == [1, 1, 0]
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
    assert [*idle.costs["poll"]] == [*idle.costs["epoll"]] == [*costs.sizes_up_to(10_000)]


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
        curve(up_to=0)
    with pytest.raises(ValueError, match="fewer than 100"):
        memory(clients=10)
    with pytest.raises(Unusable, match="ended before it listened"):
        memory("kqueue")


def test_a_server_for_one_client_has_no_curve():
    with pytest.raises(RuntimeError, match="so many clients at once"):
        memory("blocking", clients=100)


def test_nothing_of_it_stays():
    """Neither descriptors of ours, nor a higher limit."""
    before, limits = {*own_descriptors()}, resource.getrlimit(resource.RLIMIT_NOFILE)
    curve("poll", up_to=100)
    memory("poll", clients=100)
    assert {*own_descriptors()} <= before  # some of another test may be closed meanwhile
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == limits


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
