"""Every cell of every lesson is interrupted once while it runs; then the rest of it runs.

The stop button is what a learner presses when a cell hangs, and she goes on in the same kernel.
What failed for want of the interrupted cell may fail; the last cell must clean up all the same.
"""

import contextlib
import queue
import runpy
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

ROOT = Path(__file__).parent.parent
LESSONS = sorted(ROOT.glob("notebooks/*.ipynb"))
execute = SimpleNamespace(**runpy.run_path(str(ROOT / "tools" / "execute.py")))

AT_ONCE = 2  # kernels: lessons sleep more than they compute
CELL = 60  # seconds, for one cell
LESSON = 360  # seconds, for one lesson with all its cells
WHERE = [0.5, 0.1, 0.9, 0.3, 0.7]  # in which part of it a cell is interrupted, in turn
HANGS = 5  # seconds: what waits longer for the interrupted cell is interrupted as well
LONG = 0.3  # seconds: a cell that lasts longer is interrupted by the clock, in whatever it does

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
        self.manager.start_kernel(env=execute.environment(folder), cwd=str(ROOT / "notebooks"))
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


def durations(cells, folder):
    """How many seconds each cell takes when nobody interrupts it."""
    with contextlib.closing(Kernel(folder)) as kernel:
        return [kernel.run(source).seconds for source in cells]


def faults(cells, number, part, seconds, folder):
    """What is wrong after cell `number` was interrupted; and whether the interrupt hit it.

    The clean-up cell is the last word: if it is the one interrupted, it is run once more.
    """
    with contextlib.closing(Kernel(folder)) as kernel:
        for source in cells[:number]:
            kernel.run(source)
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
    return found, done.error == "KeyboardInterrupt"


def interrupt_each_cell(cells, folder):
    """({cell: what is wrong}, [cells that were not hit]): each cell, in a kernel of its own."""
    deadline = time.monotonic() + LESSON
    usual = durations(cells, folder / "usual")

    def one(number):
        if time.monotonic() > deadline:
            return [f"not done {LESSON} seconds after the start"], False
        part = WHERE[number % len(WHERE)]
        return faults(cells, number, part, usual[number], folder / str(number))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(one, range(len(cells))))
    wrong = {number: found for number, (found, _) in enumerate(results, 1) if found}
    missed = [number for number, (_, hit) in enumerate(results, 1) if not hit]
    return wrong, missed


@pytest.mark.soak
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_cleans_up_whichever_cell_was_interrupted(path, tmp_path):
    """A few may be missed: a branch may not be taken, or a long cell be quicker this time."""
    cells = code_cells(path)
    wrong, missed = interrupt_each_cell(cells, tmp_path)
    assert not wrong
    assert len(missed) <= len(cells) / 5, missed


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
    found, _ = faults(LEAKY, 2, 0.5, 0.01, tmp_path / "kernel")
    assert len(found) == 1
    assert "hold" in found[0]
    assert found[0].endswith("1")


if __name__ == "__main__":  # to try a lesson: python tests/test_interrupt.py lesson.ipynb folder
    print(interrupt_each_cell(code_cells(Path(sys.argv[1])), Path(sys.argv[2])))
