"""What a machine cannot do is skipped, and said; and what several files of tests need."""

import gc
import os
import signal

import pytest
from xdist.scheduler import LoadScopeScheduling

from echo.lab.conformance import subject
from echo.lab.run import server as server_module
from echo.ring import Ring

# The longest, which begin first.  One worker does all of a lesson's exercises in one kernel, or all
# of a file: in one JupyterLab, or so that three browsers are open at a time and not twelve.
LONG = [
    *("test_browser.py", "test_working_copy.py", "test_exercises.py", "test_cell_twice.py"),
    *("test_tampered.py", "test_execute.py"),
]
WITHOUT_A_RING = {"test_floors", "test_house"}  # they read files


def pytest_addoption(parser):
    text = "interrupt every cell of a lesson instead of four (test_stop_button.py)"
    parser.addoption("--every-cell", action="store_true", help=text)
    text = "every third test only, from this one on (tools.soak: a third in each round)"
    parser.addoption("--turn", type=int, metavar="N", help=text)
    parser.addoption("--site", metavar="FOLDER", help="check these pages (test_site.py)")


class Together(LoadScopeScheduling):
    """Where several workers run the tests: what shares a costly fixture goes to one of them.

    (The mark `xdist_group` is for that too; xdist 3.8 does not see it with pytest 9.2.)
    """

    def _split_scope(self, nodeid):
        file, _, test = nodeid.partition("::")
        if file.endswith(("test_browser.py", "test_working_copy.py", "test_tampered.py")):
            return file
        if test.startswith("TestWhatCannotBeStored::"):  # in test_execute.py: one run for them all
            return "TestWhatCannotBeStored"
        if file.endswith("test_exercises.py"):
            return test.partition("[")[2] or test
        return nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    config.option.loadscopereorder = False  # the order is ours, see LONG
    return Together(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """With -n auto: most tests wait most of the time, so two at a time for each core."""
    return 2 * len(os.sched_getaffinity(0))


def pytest_configure():
    """Ctrl-C reaches us and our children, also where a script's `make test &` has it ignored.

    A shell without job control lets its background jobs ignore SIGINT, and so do all whom they
    start (exec keeps what is ignored, signal(7)): who waits for the end of such a child hangs.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config, items):
    places = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONG)))
    if not config.getoption("--site"):
        skip = pytest.mark.skip(reason="make site builds the site and checks it")
        for item in items:
            if item.path.stem == "test_site":
                item.add_marker(skip)
    try:
        Ring().close()
    except OSError as error:
        skip = pytest.mark.skip(reason=error.strerror)
        for item in items:
            if item.path.stem not in WITHOUT_A_RING and "io_uring" in item.name:
                item.add_marker(skip)
    if (turn := config.getoption("--turn")) is not None:
        others = [item for place, item in enumerate(items) if (place - turn) % 3]
        config.hook.pytest_deselected(items=others)
        items[:] = items[turn % 3 :: 3]


def pytest_collection_finish():
    """What stays until the end need not be looked through each time, which takes 0.1 s."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def collected():
    """What a server leaves open that crashes is closed here, and not in some other test."""
    yield
    gc.collect()
    assert not server_module.servers  # nor does its thread stay, which the others would find


@pytest.fixture
def impatient(monkeypatch):
    """What never comes need not be waited for as long as what comes late."""
    monkeypatch.setattr(subject, "SOON", 0.4)
    monkeypatch.setattr(subject, "LATE", 1)
