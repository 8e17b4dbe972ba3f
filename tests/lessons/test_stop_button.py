"""Cells of every lesson are interrupted while they run; then the rest of the lesson runs.

The stop button is what a learner presses when a cell hangs, and she goes on in the same kernel.
What failed for want of the interrupted cell may fail; the last cell must clean up all the same.

Each cell that is tried takes a run of the whole lesson, so `make soak` tries four of each: one of
every kind there is, spread over the lesson.  What they have in common is the bench's, and is
tried in forty cells of other lessons.  --every-cell tries all of them, three minutes a lesson.
"""

import contextlib
import queue
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from jupyter_core.utils import ensure_event_loop

from tests.paths import LESSONS, ROOT
from tools.kernel_env import environment

AT_ONCE = 2  # kernels: lessons sleep more than they compute
CELL = 60  # seconds, for one cell
LESSON = 360  # seconds, for one lesson with all its cells
WHERE = [0.5, 0.1, 0.9, 0.3, 0.7]  # in which part of it a cell is interrupted, in turn
HANGS = 5  # seconds: what waits longer for the interrupted cell is interrupted as well
LONG = 0.3  # seconds: a cell that lasts longer is interrupted by the clock, in whatever it does
KINDS = {  # what a cell does, in the order of a lesson -> how it is known
    "waits": r"(?<!def )(?<!libc\.)\b(select|poll|wait|until|watch|settle|sleep|recv|accept)\(",
    "draws": r"\b(timeline|five_models|curve|memory|Stepper|diff|source)\(",
    "judges": r"\b(check|check_change|compare|ordeal)\((?!serve\))",  # no stub: that is no work
    "starts": r"\bstart\(",
}

# What the kernel itself holds is remembered before the lesson, and taken off after it.
REMEMBER = """
def _threads():
    import threading
    return {thread.name for thread in threading.enumerate()}

def _sockets():
    import os
    links = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{fd}"))
        except OSError:
            pass  # that of the listing itself
    rows = []
    for table in "tcp", "tcp6", "udp":
        with open(f"/proc/self/net/{table}") as file:
            rows += file.read().splitlines()[1:]
    return {link[8:-1] for link in links} & {row.split()[9] for row in rows}

_before = _threads(), _sockets()
"""
# A kernel that is interrupted just as a short cell ends may lose its answer (ipykernel, not we).
# So the cell stops before one of its statements, makes a file, and is interrupted there.  (By
# sys.setprofile() it could stop anywhere; but on Python 3.11 that and an exception that is raised
# in a sleeping thread, as stop() does, make the kernel spin for ever.)
HOLD = """
import ast

class _Hold(ast.NodeTransformer):
    def __init__(self, part, path):
        self.part, self.path = part, path

    def visit_Module(self, tree):
        places = [*self.places(tree)]
        body, index = places[int(self.part * len(places))] if places else (tree.body, 0)
        body.insert(index, ast.parse(f"_hold_here({self.path!r})").body[0])
        get_ipython().ast_transformers.remove(self)
        return ast.fix_missing_locations(tree)

    def places(self, node):
        "Before each statement that runs now, at whatever depth."
        for name in "body", "orelse", "handlers", "finalbody":
            body = getattr(node, name, None)
            for index, statement in enumerate(body if isinstance(body, list) else []):
                if isinstance(statement, ast.stmt):
                    yield body, index
                if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    yield from self.places(statement)

def _hold(part, path):
    get_ipython().ast_transformers.append(_Hold(part, path))

def _hold_here(path):
    import time
    open(path, "w").close()
    time.sleep(30)
"""
PROBE = """
def _probe():
    import gc, time
    until = time.monotonic() + 2  # a thread that was told to end needs a moment
    while _threads() - _before[0] and time.monotonic() < until:
        time.sleep(0.01)
    gc.collect()
    print(sorted(_threads() - _before[0]), len(_sockets() - _before[1]))

_probe()
"""


class Kernel:
    """A kernel of its own, that can be interrupted."""

    def __init__(self, folder):
        folder.mkdir(parents=True)
        self.manager = KernelManager(
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),  # python3 is this Python
            transport="ipc",
            connection_file=str(folder / "kernel.json"),
        )
        self.manager.start_kernel(env=environment(folder), cwd=str(ROOT / "notebooks"))
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=CELL)
        self.run(REMEMBER + HOLD)

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()
        self.manager.context.destroy(linger=0)
        ensure_event_loop().close()  # jupyter_client leaves one behind in each thread

    def run(self, source, interrupt_after=None, interrupt_when=None):
        """Run a cell: what it prints, the name of its error if any, how long it took.

        `interrupt_after`: seconds; `interrupt_when`: a file that is there when it is time.
        """
        message = self.client.execute(source, stop_on_error=False)
        printed, error, began = [], "", time.monotonic()
        deadline = began + CELL
        while True:
            moment = deadline if interrupt_after is None else began + interrupt_after
            if interrupt_when is not None:
                moment = time.monotonic() + 0.01
            try:
                answer = self.client.get_iopub_msg(timeout=max(0.0, moment - time.monotonic()))
            except queue.Empty:
                assert time.monotonic() < deadline, f"it does not end:\n{source}"
                if interrupt_when is None or interrupt_when.exists():
                    self.manager.interrupt_kernel()
                    interrupt_after = interrupt_when = None
                continue
            if answer["parent_header"].get("msg_id") != message:
                continue
            content = answer["content"]
            if answer["msg_type"] == "status" and content["execution_state"] == "busy":
                began = time.monotonic()
            elif answer["msg_type"] == "status" and content["execution_state"] == "idle":
                break
            elif answer["msg_type"] == "stream":
                printed.append(content["text"])
            elif answer["msg_type"] == "error":
                error = content["ename"]
        self.client.get_shell_msg(timeout=CELL)
        return SimpleNamespace(
            printed="".join(printed), error=error, seconds=time.monotonic() - began
        )


def code_cells(path):
    notebook = nbformat.read(path, as_version=4)
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def spread(cells):
    """Numbers of cells, in order: one of each kind, from each quarter of the lesson if it may be.

    Where a lesson has none of a kind, any cell of that quarter will do.
    """
    chosen = []
    for quarter, pattern in enumerate(KINDS.values()):
        middle = (quarter + 0.5) / len(KINDS) * len(cells)
        nearest = sorted(set(range(len(cells))) - {*chosen}, key=lambda at: (abs(at - middle), at))
        of_the_kind = [at for at in nearest if re.search(pattern, cells[at])]
        chosen += (of_the_kind or nearest)[:1]
    return sorted(chosen)


def faults(cells, number, part, seconds, folder):
    """What is wrong after a cell was interrupted; whether that hit it; the others' durations.

    `seconds`: how long cell `number` takes if nobody interrupts it; 0 is always well.
    The clean-up cell is the last word: if it is the one interrupted, it is run once more.
    """
    usual = []
    with contextlib.closing(Kernel(folder)) as kernel:
        for source in cells[:number]:
            usual.append(kernel.run(source).seconds)
        if seconds > LONG:
            done = kernel.run(cells[number], interrupt_after=part * seconds)
        else:
            kernel.run(f"_hold({part}, {str(folder / 'held')!r})")
            done = kernel.run(cells[number], interrupt_when=folder / "held")
        last = done
        for source in cells[number + 1 :] or cells[-1:]:
            last = kernel.run(source, interrupt_after=HANGS)
        said = last.printed.splitlines()[:1]
        probed = kernel.run(PROBE).printed.strip()
    found = []
    if said != ["0 threads, 0 sockets left"]:
        found.append(f"the last cell says {last.printed!r} {last.error}")
    if probed != "[] 0":
        found.append(f"in the kernel are threads and a number of sockets: {probed}")
    return found, done.error == "KeyboardInterrupt", usual


def interrupt_cells(cells, numbers, folder):
    """({cell: what is wrong}, [cells that were not hit]): each cell, in a kernel of its own.

    First the last of them: before it runs, all others have been run, and have told how long
    they take.
    """
    deadline = time.monotonic() + LESSON
    *others, last = sorted(numbers)

    def one(number, seconds):
        if time.monotonic() > deadline:
            return [f"not done {LESSON} seconds after the start"], False, []
        part = WHERE[number % len(WHERE)]
        found, hit, usual = faults(cells, number, part, seconds, folder / str(number))
        if not found and not hit and seconds > LONG:  # it was quicker than when it was timed
            found, hit, _ = faults(cells, number, part / 4, seconds, folder / f"{number} again")
        return found, hit, usual

    results = {last: one(last, 0)}
    usual = results[last][2]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ended = pool.map(one, others, (usual[number] for number in others))
        results |= zip(others, ended, strict=True)
    wrong = {number + 1: found for number, (found, _, _) in results.items() if found}
    missed = [number + 1 for number, (_, hit, _) in results.items() if not hit]
    return wrong, missed


@pytest.mark.soak
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_cleans_up_whichever_cell_was_interrupted(path, tmp_path, request):
    """A few may be missed: a branch may not be taken, or a long cell be quicker this time."""
    cells = code_cells(path)
    every = request.config.getoption("--every-cell")
    numbers = range(len(cells)) if every else spread(cells)
    wrong, missed = interrupt_cells(cells, numbers, tmp_path)
    assert not wrong
    assert len(missed) <= max(1, len(numbers) / 5), missed


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_cells_of_each_kind_are_chosen(path):
    """Interrupted in a wait, in a picture, in the suite, and while a server starts."""
    cells = code_cells(path)
    chosen = spread(cells)
    assert len({*chosen}) == len(KINDS)
    for kind, pattern in KINDS.items():
        if any(re.search(pattern, source) for source in cells):
            assert any(re.search(pattern, cells[at]) for at in chosen), f"none that {kind}"


def test_cells_are_chosen_from_all_parts_of_a_lesson():
    """With nothing to choose by, from the middle of each quarter."""
    assert spread(["1"] * 40) == [5, 15, 25, 35]
    assert spread([*["1"] * 39, "start(serve)"]) == [5, 15, 25, 39]
    assert spread(["1"] * 4) == [0, 1, 2, 3]


LEAKY = [
    "import socket, threading, time\nfrom echo.lab import leftovers",
    """
def hold(sock):
    time.sleep(60)

thread = threading.Thread(target=hold, args=[socket.create_server(("127.0.0.1", 0))], daemon=True)
thread.start()
""",
    "leftovers(stop=True)",
]


@pytest.mark.soak
def test_a_lesson_that_leaks_is_found(tmp_path):
    """The probe sees a thread and a socket that no bench knows of."""
    found, _, _ = faults(LEAKY, 2, 0.5, 0.01, tmp_path / "kernel")
    assert len(found) == 1
    assert "hold" in found[0]
    assert found[0].endswith("1")


if __name__ == "__main__":  # python -m tests.lessons.test_stop_button lesson.ipynb folder
    cells = code_cells(Path(sys.argv[1]))
    print(interrupt_cells(cells, range(len(cells)), Path(sys.argv[2])))
