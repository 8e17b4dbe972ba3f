"""Keep a working copy of the lessons, in which people write, run and save as they like.

    python -m tools.learning                # make the copy, or bring it up to date
    python -m tools.learning --fresh 03     # begin lesson 03 again; the old file is kept
    python -m tools.learning --into FOLDER  # the copy is there, and not in learning/

The lessons in notebooks/ are compared with what a run shows, so answers do not belong there.  The
copy is ignored by git.  Nothing that somebody has written in it is ever overwritten.  When a lesson
has changed since somebody began it, the new one is put next to it (`03_select.new.ipynb`), and one
sentence says so.  A copy in which nobody has written simply follows its lesson.

The copies are trusted, as `jupyter trust` would do it, and a double click does not open their text
for editing.  A cell that asks for a guess shows nothing until it is run.

Exit code: 0 when all is well, 2 when something was asked that cannot be done.
"""

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tools import ROOT, jupyter

LESSONS = ROOT / "notebooks"
COPY = ROOT / "learning"
GUESS = "guess = ..."  # in a cell that asks first; what it shows would answer the question
BEGUN = ".begun.json"  # in the copy: which version of a lesson each file was made from


class LearningError(Exception):
    """What was asked cannot be done; the message is one sentence."""


class Version(NamedTuple):
    """A version of a lesson: two digests.  Outputs alone are nothing that people write."""

    whole: str
    cells: str  # types and texts only


class WorkingCopy:
    """The folder with the copies, and what is known of how each was made."""

    def __init__(self, folder: Path, lessons: Path = LESSONS) -> None:
        self.folder = folder
        self.lessons = {path.stem: path for path in sorted(lessons.glob("*.ipynb"))}
        folder.mkdir(parents=True, exist_ok=True)
        try:
            known = json.loads((folder / BEGUN).read_text(encoding="utf-8"))
            self.begun = {name: Version(*digests) for name, digests in known.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            self.begun = {}  # then every file whose text is not the lesson's is somebody's own

    def update(self) -> Iterator[str]:
        """Bring every lesson up to date; a sentence for each that people should know about."""
        for name in self.lessons:
            path = self.folder / f"{name}.ipynb"
            now = version(self.lessons[name])
            if not path.exists():
                self._write(path, name)
            elif self._is_untouched(path, now):
                if self.begun.get(path.name) != now:
                    self._write(path, name)
            elif now.cells not in self._offered(name):
                new = self._free(name, "new")
                self._write(new, name)
                yield (
                    f"{name} has changed since you began it: the new lesson is "
                    f"{shown(new)}, and yours stays as it is."
                )
        self._remember()

    def fresh(self, asked: str) -> str:
        """Begin a lesson again and keep what was written; the sentence that says where."""
        names = [name for name in self.lessons if asked and name.startswith(asked)]
        if len(names) != 1:
            there = ", ".join(name.partition("_")[0] for name in self.lessons)
            raise LearningError(f"Which lesson? Say LESSON=03, for example; there are {there}.")
        (name,) = names
        path = self.folder / f"{name}.ipynb"
        now = version(self.lessons[name])
        said = f"{shown(path)} is as new."
        if path.exists() and not self._is_untouched(path, now):
            old = self._free(name, "old")
            path.rename(old)
            said = f"{shown(path)} is as new; what you wrote is kept in {shown(old)}."
        self._write(path, name)
        for new in self.folder.glob(f"{name}.new*.ipynb"):  # offered, and never written in
            if self._is_untouched(new):
                new.unlink()
                del self.begun[new.name]
        self._remember()
        return said

    def _is_untouched(self, path: Path, now: Version | None = None) -> bool:
        """Whether nobody has written in `path`: its text is what was put there, or the lesson's."""
        try:
            cells = version(path).cells
        except (OSError, ValueError, LookupError, TypeError):
            return False
        begun = self.begun.get(path.name)
        return cells in {each.cells for each in (begun, now) if each}

    def _offered(self, name: str) -> set[str]:
        """The versions that somebody who works on `name` was given: at first, and since."""
        files = [f"{name}.ipynb", *(one for one in self.begun if one.startswith(f"{name}.new"))]
        return {self.begun[one].cells for one in files if one in self.begun}

    def _free(self, name: str, mark: str) -> Path:
        """A name that no file has, or only one in which nobody has written."""
        number = 1
        while True:
            more = "" if number == 1 else f"-{number}"
            path = self.folder / f"{name}.{mark}{more}.ipynb"
            if not path.exists() or (mark == "new" and self._is_untouched(path)):
                return path
            number += 1

    def _write(self, path: Path, name: str) -> None:
        """Put a copy of the lesson `name` at `path`, in one step."""
        notebook = json.loads(self.lessons[name].read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            if cell["cell_type"] == "markdown":
                cell["metadata"]["editable"] = False
            elif GUESS in "".join(cell["source"]):
                cell.update(outputs=[], execution_count=None)
        replace(path, as_text(notebook))
        trust(path)
        self.begun[path.name] = version(self.lessons[name])

    def _remember(self) -> None:
        replace(self.folder / BEGUN, as_text(self.begun))


def version(path: Path) -> Version:
    """Which version of its lesson a file is."""
    content = path.read_bytes()
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(content)["cells"]]
    return Version(digest(content), digest(json.dumps(cells).encode()))


def digest(content: bytes) -> str:
    """Short enough to be looked at, long enough never to be met twice."""
    return hashlib.sha256(content).hexdigest()[:32]


def as_text(value: Any) -> str:
    """JSON as nbformat writes it."""
    return json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def replace(path: Path, text: str) -> None:
    """Write a file in one step, so that JupyterLab never reads half of it."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8", newline="\n")
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def trust(path: Path) -> None:
    """Sign a notebook as `jupyter trust` does, with the key of the one who calls this.

    Where that key cannot be made or used, the notebook is shown as any that is not trusted, and
    so as on GitHub: all can be read.
    """
    import nbformat  # takes a second, and mostly there is nothing to sign
    from nbformat.sign import NotebookNotary

    notary = NotebookNotary()
    try:
        notary.sign(nbformat.read(path, as_version=4))
    except OSError as error:
        print(f"{shown(path)} could not be trusted: {error.strerror}.", file=sys.stderr)
    finally:
        notary.store.close()


def shown(path: Path) -> str:
    """A path as people type it: from the clone on, where it lies in it."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit code."""
    parser = argparse.ArgumentParser(
        "python -m tools.learning", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--into", type=Path, default=COPY, metavar="FOLDER", help="of the copy")
    parser.add_argument("--fresh", metavar="LESSON", help="begin this one again: 03, for example")
    options = parser.parse_args(arguments)
    try:
        jupyter.set_up()
        copy = WorkingCopy(options.into.resolve())
        if options.fresh is None:
            for sentence in copy.update():
                print(sentence)
        else:
            print(copy.fresh(options.fresh))
    except LearningError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{shown(options.into)} cannot be written: {error.strerror}.", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
