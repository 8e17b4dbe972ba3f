"""Follow a lesson on a machine that forbids io_uring: its cells show what was recorded elsewhere.

    replay("09_io_uring")       # where io_uring is allowed, this does nothing

Every cell runs as it stands.  If it fails because io_uring is refused, or because it needs
something that such a cell would have made, then what it printed is dropped, and a line
`recorded: ...` is printed with what the cell shows on a machine that allows io_uring.

The recording is made of the outputs that are stored in the lesson; `make lessons` does it:

    python -m echo.lab.show.replay notebooks/09_io_uring.ipynb
"""

import ast
import json
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from IPython.display import display
from IPython.utils.capture import capture_output

from echo.lab.words import ring_refused
from echo.ring import Ring

FOLDER = Path(__file__).parents[3] / "notebooks" / "recorded"
DISPLAYED = "text/plain", "text/html"  # a cell shows nothing else


def replay(lesson: str) -> None:
    """From the next cell on, show the recording of a cell that cannot run here."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    if shell is None or (reason := refusal()) is None:
        return
    others = [one for one in shell.ast_transformers if not isinstance(one, Replay)]
    shell.ast_transformers[:] = [*others, Replay(lesson, reason, shell.user_ns)]


def refusal() -> str | None:
    """Why io_uring is refused here; None where it is allowed."""
    try:
        Ring().close()
    except OSError as error:
        return str(error.strerror)
    return None


class Replay(ast.NodeTransformer):
    """Puts each cell into a `with` block that knows what to do when io_uring is refused."""

    def __init__(self, lesson: str, reason: str, names: dict[str, Any]) -> None:
        text = (FOLDER / f"{lesson}.json").read_text(encoding="utf-8")
        self.cells: dict[str, list[dict[str, Any]]] = json.loads(text)
        self.reason, self.names = reason, names
        self.gone: set[str] = set()  # names that a cell would have made which could not run

    def visit_Module(self, cell: ast.Module) -> ast.Module:
        if not cell.body:
            return cell
        attempt = Attempt(self, key(cell), made_by(cell))
        self.names["__attempt__"] = attempt
        last = cell.body[-1]
        if isinstance(last, ast.Expr):
            target = ast.parse("__attempt__.value = ...").body[0]
            assert isinstance(target, ast.Assign)
            target.value = last.value
            cell.body[-1] = ast.copy_location(target, last)
        block = ast.parse("with __attempt__: pass\n__attempt__.shown()")
        assert isinstance(block.body[0], ast.With)
        block.body[0].body = cell.body
        cell.body = block.body
        return ast.fix_missing_locations(cell)


class Attempt:
    """One run of a cell."""

    def __init__(self, replay: Replay, key: str, makes: set[str]) -> None:
        self.replay, self.key, self.makes = replay, key, makes
        self.value: Any = None
        self.capture = capture_output(stderr=False)

    def __enter__(self) -> None:
        self.output = self.capture.__enter__()

    def __exit__(
        self, kind: type | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self.capture.__exit__(kind, error, traceback)
        displayed = [output.data for output in self.output.outputs]
        said = " ".join([self.output.stdout, *(data.get("text/plain", "") for data in displayed)])
        missing = isinstance(error, NameError) and error.name in self.replay.gone
        refused = bool(ring_refused(f"{error}{said}"))
        attempted = self.replay.cells.get(self.key) is None or self.is_answer()
        if not (missing or refused) or (refused and attempted and error is None):
            for data in displayed:
                display(data, raw=True)
            print(self.output.stdout, end="")
            self.replay.gone -= self.makes
            return False
        print(f"recorded: {self.replay.reason}")
        self.value = None
        for name in self.makes:
            self.replay.names.pop(name, None)
        self.replay.gone |= self.makes
        if attempted:
            print("Of this cell nothing was recorded: it is not as the lesson has it.")
            return True
        for output in self.replay.cells[self.key]:
            if "printed" in output:
                print(output["printed"], end="")
            elif "displayed" in output:
                display(output["displayed"], raw=True)
            else:
                self.value = Recorded(output)
        return True

    def is_answer(self) -> bool:
        """Whether it is the check of an exercise: what was recorded is that of nobody's answer."""
        return any("Not attempted yet" in str(output) for output in self.replay.cells[self.key])

    def shown(self) -> Any:
        return self.value


class Recorded:
    """What a cell displayed."""

    def __init__(self, data: dict[str, str]) -> None:
        self.data = data

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self.data


class Unguessed(ast.NodeTransformer):
    """A prediction is the learner's own."""

    def visit_Assign(self, node: ast.Assign) -> ast.Assign:
        if [ast.unparse(target) for target in node.targets] == ["guess"]:
            node.value = ast.Constant(...)
        return node


def key(cell: ast.Module) -> str:
    """The text of a cell, whatever its comments, its layout and the guess in it."""
    return ast.unparse(Unguessed().visit(ast.parse(ast.unparse(cell))))


def made_by(cell: ast.Module) -> set[str]:
    """The names that it assigns, not inside of a function."""
    found = set()
    for statement in cell.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            continue
        found |= {
            node.id
            for node in ast.walk(statement)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
    return found - {"guess"}


def recording(path: Path) -> dict[str, list[dict[str, Any]]]:
    """What the cells of a stored lesson show: cell -> its outputs."""
    found = {}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code" and cell["outputs"]:
            outputs = [output_of(output) for output in cell["outputs"]]
            if not any('class="echo-source' in str(output) for output in outputs):
                found[key(ast.parse("".join(cell["source"])))] = outputs
    return found


def output_of(output: dict[str, Any]) -> dict[str, Any]:
    if output["output_type"] == "stream":
        return {"printed": "".join(output["text"])}
    data = {kind: "".join(output["data"][kind]) for kind in DISPLAYED if kind in output["data"]}
    return {"displayed": data} if output["output_type"] == "display_data" else data


def record(paths: list[str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    for path in map(Path, paths):
        text = json.dumps(recording(path), indent=1, ensure_ascii=False) + "\n"
        (FOLDER / f"{path.stem}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    record(sys.argv[1:])
