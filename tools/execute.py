"""Run lessons from top to bottom, each in a fresh kernel, and store what came out.

    python -m tools.execute notebooks/*.ipynb           # store; a second run says "0 changed"
    python -m tools.execute --check notebooks/*.ipynb   # write nothing, say what would change

Two lessons run at a time for each core, for they sleep more than they compute; `--jobs` says how
many.  What is said about them comes in the order in which they were named.

`--check` compares what a lesson shows and says.  It passes over what a front end writes into a
notebook that was opened and saved: the version of Python, cells that are folded, times.

An unchanged lesson yields the same bytes on every machine and every Python that we support.
What every run has in common is kept; what only describes the run (times, model numbers of
widgets, frames of library files) is left out; what differs from run to run and would be seen by
a reader (an address, a port, a path, a descriptor) is refused: mend the lesson, do not scrub.

A lesson is written only after the whole of it has run, and then in one step.  Exit code: 0 when
all is well, 1 when a lesson could not be stored or `--check` found a difference.
"""

import argparse
import base64
import difflib
import json
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from weakref import WeakSet

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from jupyter_core.utils import ensure_event_loop
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from tools.kernel_env import environment

CELL_SECONDS = 60  # nbval allows 30; a cell that needs more than this never ends

METADATA = {  # what JupyterLab writes, less what depends on the machine
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
KEPT_OF_NOTEBOOK = ("lesson",)
KEPT_OF_CELL = ("exercise", "tags")
OF_A_FRONT_END = {  # what JupyterLab, Notebook and VS Code write into a cell when they save it
    "collapsed",
    "editable",
    "execution",
    "jupyter",
    "scrolled",
    "trusted",
    "vscode",
}
WIDGET = "application/vnd.jupyter.widget-view+json"

UNSTABLE = {  # what no stored output may hold -> how it looks
    "a memory address": r"\bat 0x[0-9a-f]{6,}",
    "a port": r"(?:127\.0\.0\.\d+|localhost|0\.0\.0\.0|::1\]?)'?(?:, |:)\d{4,5}\b"
    r"|\bport[ =:]{1,2}\d{4,5}\b",
    "a path of this machine": r"/home/|/root/|/tmp/|/Users/|/proc/\d+|site-packages|\.pyenv"
    r"|ipykernel_\d+",
    # 0, 1, 2 are the same everywhere; 1023 and 1024 are what lessons about select are about
    "a file descriptor": r"\b(?:fd|fileno|descriptor)(?:\(\))?[ =#:]{1,3}"
    r"(?!(?:[012]|102[34])\b)\d+",
    "a process or thread": r"\b(?:pid|tid|native_id)[ =:]{1,2}\d+|\bThread-\d+",
}
MEASURED = {  # allowed only where the picture is not compared, because its subject is time
    "a time": r"\b\d+\.\d+ ?(?:s|ms|us|µs|ns|seconds?)\b|\b\d\d:\d\d:\d\d\b|\b20\d\d-\d\d-\d\d\b",
    "a measured number": r"(?<![\d.])\d+\.\d{4,}\b",
}
OF_A_FILE = re.compile(r'class="echo-(?:source|diff)"')  # shown source is as stable as its file

# A drawing, as echo.lab.display stores it.
IMAGE = re.compile(r'(?<=src="data:image/svg\+xml;base64,)([^"]+)')

RECORDED = re.compile(r"(?m)^(recorded|reduced): .*\n?")  # the same as in sanitize.cfg
ANSI = re.compile(r"\x1b\[[0-9;]*m")


kernels: WeakSet[AsyncKernelManager] = WeakSet()
interrupted = threading.Event()


class LessonError(Exception):
    """A lesson that cannot be stored; the message says which, where and why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Store or check the lessons named on the command line; the exit code."""
    parser = argparse.ArgumentParser("python -m tools.execute", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, say what would change")
    parser.add_argument(
        "--redraw",
        action="store_true",
        help="store new pictures also where nbval-ignore-output says that they are about time",
    )
    parser.add_argument(
        "--jobs",
        type=int,
        choices=range(1, 9),
        default=min(2 * len(os.sched_getaffinity(0)), 8),
        help="how many lessons run at a time; if it is not said, two for each core",
        metavar="N",
    )
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="notebook")
    options = parser.parse_args(arguments)

    changed, failed, waiting = [], [], list(options.notebooks)
    with ThreadPoolExecutor(options.jobs) as pool:
        tasks = [pool.submit(anew, path, options.redraw) for path in options.notebooks]
        try:
            for path, task in zip(options.notebooks, tasks, strict=True):
                try:
                    stored, fresh, recorded = task.result()
                    if recorded and not options.check:
                        raise LessonError(f"{path} is left as it was: {cannot_show(recorded)}")
                    if recorded:
                        print(f"{path}: {cannot_show(recorded)}")
                    if fresh != (without_front_end(stored) if options.check else stored):
                        changed.append(path.name)
                        if options.check:
                            was = without_front_end(stored)
                            print(*differences(path, was, fresh), sep="\n", file=sys.stderr)
                        else:
                            replace(path, fresh)
                except LessonError as error:
                    failed.append(path.name)
                    print(error, file=sys.stderr)
                waiting.remove(path)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            end_kernels()
            for path in waiting:
                print(f"interrupted: {path} is left as it was", file=sys.stderr)
            return 130

    print(
        f"{len(options.notebooks) - len(failed)} executed, {len(changed)} "
        + ("would change" if options.check else "changed")
        + (f", {len(failed)} failed" if failed else "")
        + (f": {' '.join(changed + failed)}" if changed or failed else "")
    )
    return int(bool(failed or (options.check and changed)))


def anew(path: Path, redraw: bool) -> tuple[str, str, list[str]]:
    """Run one lesson: its text as it is stored, as it would be, and what execute() returns."""
    try:
        stored, notebook = read(path)
        recorded = execute(path, notebook, redraw)
        return stored, as_stored(path, notebook), recorded
    finally:
        ensure_event_loop().close()  # that of this thread, which nbclient leaves behind


def end_kernels() -> None:
    """Whoever waits for a cell hears at once that its kernel has ended, and begins no other."""
    interrupted.set()
    for manager in list(kernels):
        kernel = manager.provisioner
        if isinstance(kernel, LocalProvisioner) and kernel.process:
            kernel.process.kill()


def read(path: Path) -> tuple[str, NotebookNode]:
    """The bytes of a lesson as text, and the notebook in them."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise LessonError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise LessonError(f"{path} is not a notebook: not UTF-8") from None
    try:
        notebook = nbformat.reader.reads(text)
        if notebook.nbformat != 4:
            raise LessonError(f"{path} is not a notebook of format 4")
        if notebook.nbformat_minor < 5:
            notebook = nbformat.v4.upgrade(notebook)  # gives the cells their ids
        nbformat.validate(notebook)
    except nbformat.reader.NotJSONError:
        raise LessonError(f"{path} is not a notebook: not JSON") from None
    except (AttributeError, KeyError, TypeError):
        raise LessonError(f"{path} is not a notebook: JSON, but of another kind") from None
    except (nbformat.ValidationError, ValueError) as error:
        raise LessonError(f"{path} is not a valid notebook: {first_line(error)}") from None
    return text, notebook


def execute(path: Path, notebook: NotebookNode, redraw: bool = False) -> list[str]:
    """Run the cells of `notebook` in place and leave what every run has in common.

    Returns where this machine could not produce what is stored: a cell and what it said, a line
    that begins `recorded:` or `reduced:`.  That line is taken out again, as nbval does.

    Raises LessonError where a cell raises unannounced, never ends, or prints what is not stable.
    """
    before = {cell.id: cell.get("outputs") for cell in notebook.cells}
    run(path, notebook)

    kept = {key: notebook.metadata[key] for key in KEPT_OF_NOTEBOOK if key in notebook.metadata}
    notebook.metadata = nbformat.from_dict(METADATA | kept)
    recorded = []
    for index, cell in enumerate(notebook.cells):
        where = place(path, notebook, index)
        cell.metadata = {key: cell.metadata[key] for key in KEPT_OF_CELL if cell.metadata.get(key)}
        if cell.cell_type != "code":
            continue
        timed = "nbval-ignore-output" in cell.metadata.get("tags", [])
        recorded += [f"{name_of(notebook, index)}: {line}" for line in takes_recorded_out(cell)]
        emptied = [out for out in cell.outputs if out.output_type == "stream" and not out.text]
        if emptied and not timed:
            raise LessonError(f"{where} prints a recorded: line and nothing else, so nbval fails")
        cell.outputs = [out for out in cell.outputs if out not in emptied]
        if timed and before[cell.id] and not redraw:
            cell.outputs = before[cell.id]
        for output in cell.outputs:
            make_stable(output, cell.execution_count)
            for what, found in unstable(output, timed):
                raise LessonError(f"{where} stores {what}: {found!r}\n{indented(cell.source)}")
    return recorded


def run(path: Path, notebook: NotebookNode) -> None:
    """Execute every cell in a kernel of its own, of the Python that runs this script."""
    with tempfile.TemporaryDirectory(prefix="lesson-") as folder:
        client = NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            resources={"metadata": {"path": str(path.resolve().parent)}},
            record_timing=False,
            store_widget_state=False,
            coalesce_streams=True,
            ipython_hist_file="",  # a file, as in JupyterLab: IPython opens and closes it meanwhile
        )
        client.km = kernel_manager(Path(folder))
        kernels.add(client.km)
        with client.setup_kernel(env=environment(Path(folder)), cleanup_kc=True):
            for index, cell in enumerate(notebook.cells):
                if interrupted.is_set():
                    raise LessonError(f"{path} was interrupted")
                try:
                    client.execute_cell(cell, index)
                except CellExecutionError as error:
                    raise LessonError(
                        f"{place(path, notebook, index)} raises an error that no tag announces\n"
                        + indented(error_in_short(cell, error))
                    ) from None
                except CellTimeoutError:
                    raise LessonError(
                        f"{place(path, notebook, index)} did not end within {CELL_SECONDS} s\n"
                        + indented(cell.source)
                    ) from None
                except DeadKernelError:
                    cell.execution_count = None  # it came out in time, or not
                    raise LessonError(f"{place(path, notebook, index)} ended the kernel") from None


def kernel_manager(folder: Path) -> AsyncKernelManager:
    """A kernel on Unix sockets in `folder`: several at a time never draw the same port.

    No folder is searched for kernel specs, so that "python3" is the Python that runs this
    script, even where a user has installed another one under that name.
    """
    return AsyncKernelManager(
        kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
        transport="ipc",
        connection_file=str(folder / "kernel.json"),
    )


def place(path: Path, notebook: NotebookNode, index: int) -> str:
    """Where to look: the file and the cell."""
    return f"{path}, {name_of(notebook, index)}"


def name_of(notebook: NotebookNode, index: int) -> str:
    """A cell by its number from 1 on, its id, and the number that is seen in JupyterLab."""
    cell = notebook.cells[index]
    count = f", [{cell.execution_count}]" if cell.get("execution_count") else ""
    return f"cell {index + 1} (id {cell.get('id')}{count})"


def cannot_show(lines: list[str]) -> str:
    """What to say where cells printed or showed a `recorded:` or `reduced:` line."""
    return f"this machine cannot show all that is stored\n{indented(chr(10).join(lines))}"


def takes_recorded_out(cell: NotebookNode) -> list[str]:
    """Remove the lines that begin `recorded:` or `reduced:`; which they were, each once.

    Also from what a cell shows: a table has such a line above it, in its text and its HTML.
    """
    found = []
    for output in cell.outputs:
        texts = output if output.output_type == "stream" else output.get("data", {})
        for kind, text in list(texts.items()):
            if isinstance(text, str):
                found += [match[0].strip() for match in RECORDED.finditer(text)]
                texts[kind] = RECORDED.sub("", text)
    return list(dict.fromkeys(found))


def make_stable(output: NotebookNode, count: int) -> None:
    """Leave out what describes one run only."""
    if output.output_type == "error":
        frames = [ANSI.sub("", frame) for frame in output.traceback]
        # frames of library files carry paths, and line numbers of the version at hand
        output.traceback = [frame for frame in frames if not frame.startswith("File ")]
    elif output.output_type != "stream":
        output.metadata = {}
        output.data.pop(WIDGET, None)  # the number of its model is random; its text is kept
        if output.output_type == "execute_result":
            output.execution_count = count


def unstable(output: NotebookNode, timed: bool = False) -> Iterator[tuple[str, str]]:
    """What in `output` differs from run to run, as (what it is, how it reads).

    `timed`: the output is not compared because time is its subject; it may show times.
    """
    data = output.get("data", {})
    if OF_A_FILE.search(data.get("text/html", "")):
        return
    texts = [IMAGE.sub(drawn, value) for value in data.values() if isinstance(value, str)]
    texts += [output.get("text", ""), *output.get("traceback", []), output.get("evalue", "")]
    for what, pattern in (UNSTABLE if timed else UNSTABLE | MEASURED).items():
        for text in texts:
            if found := re.search(pattern, text):
                yield what, found[0]
                break


def drawn(image: re.Match[str]) -> str:
    """The SVG that an <img> holds: it has letters, too."""
    return base64.b64decode(image[1]).decode(errors="replace")


def as_stored(path: Path, notebook: NotebookNode) -> str:
    """The text of the file, as JupyterLab would write it too."""
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        raise LessonError(
            f"{path} ran into something that is no output: {first_line(error)}"
        ) from None
    return f"{nbformat.writes(notebook)}\n"


def without_front_end(stored: str) -> str:
    """A stored lesson without what a front end adds when it saves a notebook that was opened.

    Cells, their sources and their outputs stay as they are, and so does the layout of the file.
    """
    notebook = json.loads(stored)
    if f"{nbformat.writes(nbformat.from_dict(notebook))}\n" != stored:
        return stored
    notebook["metadata"] = essential(notebook["metadata"])
    for cell in notebook["cells"]:
        for key in OF_A_FRONT_END & cell["metadata"].keys():
            del cell["metadata"][key]
    return f"{nbformat.writes(nbformat.from_dict(notebook))}\n"


def essential(metadata: dict[str, Any]) -> dict[str, Any]:
    """The metadata of a notebook, less the version of Python and what the kernel is called."""
    kept = dict(metadata)
    if kept.get("language_info", {}).get("name") == "python":
        kept["language_info"] = METADATA["language_info"]
    if kept.get("kernelspec", {}).get("name") == METADATA["kernelspec"]["name"]:
        kept["kernelspec"] = METADATA["kernelspec"]
    return kept


def replace(path: Path, text: str) -> None:
    """Write a file in one step: whoever reads it sees the old one or the new one, whole."""
    path = path.resolve()
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8", newline="\n")
        beside.chmod(path.stat().st_mode & 0o777)
        os.replace(beside, path)
    except OSError as error:
        raise LessonError(f"{path} could not be written: {error.strerror}") from None
    finally:
        beside.unlink(missing_ok=True)


def differences(path: Path, stored: str, fresh: str) -> Iterator[str]:
    """Lines for people: each cell that differs, and a few lines of what was and what is."""
    was, now = json.loads(stored), json.loads(fresh)
    notebook = nbformat.from_dict(now)
    same = True
    for index, (old, new) in enumerate(zip(was.pop("cells"), now.pop("cells"), strict=True)):
        if old != new:
            same = False
            yield f"{place(path, notebook, index)} would change (- stored, + now)"
            yield from excerpt(as_lines(old), as_lines(new))
    if was != now:
        same = False
        yield f"{path}: what is said about the whole notebook would change (- stored, + now)"
        yield from excerpt(as_lines(was), as_lines(now))
    if same:
        yield f"{path}: only the layout of the file would change (- stored, + now)"
        yield from excerpt(stored.splitlines(), fresh.splitlines(), blocks=1)


def as_lines(part: dict[str, Any]) -> list[str]:
    """A part of a notebook as it looks in the file."""
    return json.dumps(part, indent=1, ensure_ascii=False, sort_keys=True).splitlines()


def excerpt(old: list[str], new: list[str], blocks: int = 3, lines: int = 3) -> Iterator[str]:
    """The first differences between two lists of lines, cut to what fits on a screen."""
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    differing = [code for code in matcher.get_opcodes() if code[0] != "equal"]
    for _, i, j, k, m in differing[:blocks]:
        at = first_difference(old[i], new[k]) if i < j and k < m else 0
        for mark, part in (("-", old[i:j]), ("+", new[k:m])):
            yield from (f"    {mark} {window(line, at)}" for line in part[:lines])
            if len(part) > lines:
                yield f"    {mark} ... and {len(part) - lines} more lines"
    if len(differing) > blocks:
        yield f"      ... and {len(differing) - blocks} more differences"


def first_difference(old: str, new: str) -> int:
    """The number of characters with which both begin."""
    pairs = enumerate(zip(old, new, strict=False))
    return next((at for at, (was, now) in pairs if was != now), min(len(old), len(new)))


def window(line: str, at: int, width: int = 84) -> str:
    """As much of a long line as can be read, around the character number `at`."""
    first = max(0, at - width // 2) if len(line) > width else 0
    last = first + width
    return f"{'...' if first else ''}{line[first:last]}{'...' if last < len(line) else ''}"


def error_in_short(cell: NotebookNode, error: CellExecutionError) -> str:
    """The line of the cell at which it went wrong, and the traceback's last line."""
    frames = [out.traceback for out in cell.outputs if out.output_type == "error"]
    lines = ANSI.sub("", "\n".join(frames[-1] if frames else [])).splitlines()
    arrows = [line for line in lines if re.match(r"-+> ?\d+ ", line)]
    return "\n".join([*arrows[:1], f"{error.ename}: {error.evalue}"])


def first_line(error: Exception) -> str:
    """What an error says, without the pages that follow it."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def indented(text: str) -> str:
    """A block below a message."""
    return "\n".join(f"    {line}" for line in text.splitlines())


if __name__ == "__main__":
    sys.exit(main())
