"""The same cell run again: its server of last time is stopped, and no other."""

import json

import pytest

from echo import select_server
from echo.lab import start
from tests.lab.bench import run_python


@pytest.mark.parametrize("cell", ["a", None], ids=["JupyterLab", "nbclient"])
def test_cell_run_again_stops_its_server_of_last_time(notebook, cell):
    """Otherwise each try of an exercise leaves a server behind."""
    notebook.run(cell, run=1)
    first = start(select_server.serve)
    notebook.run(cell, run=2)
    second = start(select_server.serve)
    assert first.ended
    assert not second.ended
    second.stop()


def test_two_servers_of_one_run_live_side_by_side(notebook):
    """A cell may compare two, even of the same kind."""
    notebook.run("a", run=1)
    with start(select_server.serve) as first, start(select_server.serve) as second:
        assert not first.ended
        assert not second.ended


@pytest.mark.parametrize("cells", ["ab", (None, None)], ids=["JupyterLab", "nbclient"])
def test_other_cells_leave_a_server_alone(notebook, cells):
    """A server is often started in one cell and looked at in the next."""
    notebook.run(cells[0], run=1, source="one = start(serve)")
    with start(select_server.serve) as first:
        notebook.run(cells[1], run=2, source="two = start(serve)")
        with start(select_server.serve):
            assert not first.ended


def test_outside_a_notebook_no_server_stops_another():
    """Tests and scripts have no cells."""
    with start(select_server.serve) as first, start(select_server.serve):
        assert not first.ended


TWO_SERVERS = """
before = globals().get("servers", [])
servers = start(select_server.serve), start(select_server.serve)
print([one.ended for one in before], [one.ended for one in servers])
"""
CELLS = [
    "from echo import select_server\nfrom echo.lab import leftovers, start",
    TWO_SERVERS,
    TWO_SERVERS,
    """
def serve(listener):
    sock, _ = listener.accept()
    sock.recv(1)
    1 / 0
""",
    """
try:
    with start(serve) as server:
        client = server.connect()
        client.send(b"x")
        client.recv(1)
except RuntimeError as error:
    print(error)
""",
    "leftovers(stop=True)",
]


def test_in_a_real_kernel(tmp_path):
    """The pretended notebook above is what we believe of IPython; this is IPython."""
    assert run_cells(CELLS, tmp_path) == [
        "",
        "[] [False, False]\n",
        "[True, True] [False, False]\n",
        "",
        "the server crashed: ZeroDivisionError: division by zero (line 4 of serve)\n",
        "0 threads, 0 sockets left\n",
    ]


RUN_CELLS = """
import json, os, subprocess, sys
import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

folder, cells = sys.argv[1], json.loads(sys.argv[2])
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in cells])
client = NotebookClient(notebook, timeout=30)
client.km = AsyncKernelManager(
    kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),  # python3 is this Python
    transport="ipc",
    connection_file=f"{folder}/kernel.json",
)
# libzmq may assert while a process ends (zeromq/libzmq#1307), kernel or client: not our affair.
client.execute(cwd=folder, stderr=subprocess.DEVNULL)
print(json.dumps(["".join(out.get("text", "") for out in cell.outputs) for cell in notebook.cells]))
sys.stdout.flush()
os._exit(0)
"""


def run_cells(cells, folder):
    """What each cell prints, in a kernel of its own."""
    return json.loads(run_python(RUN_CELLS, str(folder), json.dumps(cells)))
