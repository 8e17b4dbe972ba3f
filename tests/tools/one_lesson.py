"""A small lesson that never ran, and the tool that runs lessons, in this process."""

import base64
import contextlib
import io
import json
from types import SimpleNamespace

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools import execute

LINE = base64.b64encode(b'<svg><path d="M 1.0 2.0 L 3.0 4.0"/></svg>').decode()
DRAWING = f"""\
class Drawing:
    def _repr_mimebundle_(self, **_):
        picture = '<img alt="a line" src="data:image/svg+xml;base64,{LINE}">'
        return {{"text/plain": "a line", "text/html": picture}}
Drawing()"""
CELLS = {  # id -> source, tags
    "say": ("print('asleep in select')\nprint('two clients')", []),
    "value": ("6 * 7", []),
    "draw": (DRAWING, []),
    "fail": ("[].pop()", ["raises-exception"]),
    "time": ("import time\nprint(time.perf_counter_ns())", ["nbval-ignore-output"]),
    "last": ("print('0 threads, 0 sockets left')", []),
}


def lesson(cells=CELLS):
    """A notebook that never ran; between its cells there is prose, as in a lesson."""
    notebook = new_notebook(metadata={"lesson": {"time": "1 minute"}, "signature": "of a machine"})
    for name, (text, tags) in cells.items():
        notebook.cells.append(new_markdown_cell(f"What does `{name}` say?", id=f"about-{name}"))
        metadata = {"tags": tags, "collapsed": True}
        if name == "value":
            metadata["exercise"] = {"minutes": 5, "difficulty": "easy"}
        notebook.cells.append(new_code_cell(text, id=name, metadata=metadata))
    return notebook


def tool(*arguments):
    """Run the tool from a folder that is not the repository's; what it said and returned.

    It runs in this process: to import nbformat anew takes two seconds.
    """
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir("/"), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = execute.main([str(argument) for argument in arguments])
    return SimpleNamespace(returncode=code, stdout=out.getvalue(), stderr=err.getvalue())


def replace_in(output, old, new):
    """Change every text of an output in which `old` stands."""
    text = json.dumps(output)
    assert old in text
    output.update(nbformat.from_dict(json.loads(text.replace(old, new))))


def write_lesson(path, *sources):
    cells = [new_code_cell(text, id=f"c{i}") for i, text in enumerate(sources)]
    nbformat.write(new_notebook(cells=cells), path)
    return path


def code_cells(path):
    cells = nbformat.read(path, as_version=4).cells
    return [cell for cell in cells if cell.cell_type == "code"]


def printed(text, name="stdout"):
    stream = nbformat.from_dict({"output_type": "stream", "name": name, "text": text})
    return lambda cells, _: cells["value"].outputs.insert(0, stream)
