"""Write what the documents say about the lessons and the tests, from the lessons and the tests.

    python -m tools.docs     # make docs; `make lessons` ends with it

- README.md: the table of what is checked, and the figure with the cell that draws it;
- docs/glossary.md: the words that the lessons explain, in English and Chinese;
- docs/teaching.md: the number that stands before each cell it names.

Nothing is run but imports: the same files give the same bytes on every machine, in seconds.
test_docs.py fails while a document says something else.  It reads the stored lessons, so whatever
changes them comes first.
"""

import ast
import base64
import html
import re
import runpy
import sys
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from nbformat import NotebookNode
from nbformat.reader import NotJSONError

from tools import ROOT
from tools.markdown import between, table

README, GLOSSARY, TEACHING = "README.md", "docs/glossary.md", "docs/teaching.md"
FIGURE = "docs/figure.svg"
SHOWN = ("03_select", "try-hello")  # the cell whose figure stands in the README


class Refused(Exception):
    """A document or a lesson lacks what is to be read from it; the message is for people."""


class Lesson:
    """A stored lesson: its name, its number as text, and its cells."""

    def __init__(self, path: Path) -> None:
        self.name, self.number = path.stem, path.stem[:2]
        self.cells = nbformat.read(path, as_version=4).cells
        self.code = [cell for cell in self.cells if cell.cell_type == "code"]

    def link(self) -> str:
        """From a file in docs/."""
        return f"[{self.name}](../notebooks/{self.name}.ipynb)"


@cache
def lessons() -> list[Lesson]:
    return [Lesson(path) for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]


def of_tests(name: str) -> Any:
    """A module of tests: it has the tables that it goes through."""
    return import_module(f"tests.{name}")


# -- what is checked ---------------------------------------------------------------------------


def ignored(cell: NotebookNode) -> bool:
    return "nbval-ignore-output" in cell.metadata.get("tags", [])


def figures(lesson: Lesson) -> list[str]:
    """The opening tag of each drawing that is stored in a lesson."""
    data = [output.get("data", {}) for cell in lesson.code for output in cell.outputs]
    return [tag for one in data for tag in re.findall(r"<img\b[^>]*>", one.get("text/html", ""))]


def tables(lesson: Lesson) -> int:
    """How many outputs are tables."""
    data = [output.get("data", {}) for cell in lesson.code for output in cell.outputs]
    return sum("<table" in one.get("text/html", "") for one in data)


def outputs(lesson: Lesson, compared: bool) -> int:
    """How many outputs are stored, of the cells that are compared or of those that are not."""
    return sum(len(cell.outputs) for cell in lesson.code if ignored(cell) != compared)


def told(tag: str) -> bool:
    return re.search(r'\balt="[^"]+"', tag) is not None


def wrong_answers(lesson: Lesson) -> int:
    path = ROOT / "tests/lessons/wrong_answers" / f"{lesson.name}.py"
    wrong = runpy.run_path(str(path))["WRONG"]
    return sum(map(len, wrong.values()))


class Row(NamedTuple):
    """What is counted in each lesson, and what fails if it is not as it should be."""

    what: str
    count: Callable[[Lesson], int]
    held: str


ROWS = [
    Row("code cells, run in order", lambda one: len(one.code), "nbval"),
    Row(
        "stored outputs, compared", lambda one: outputs(one, True), "nbval; `tools.execute --check`"
    ),
    Row("measured curves, not compared", lambda one: outputs(one, False), "`test_stored.py`"),
    Row("tables", tables, "nbval"),
    Row("drawings", lambda one: len(figures(one)), "nbval"),
    Row("of these with alt text", lambda one: sum(map(told, figures(one))), "`test_lessons.py`"),
    Row(
        "predictions, each measured",
        lambda one: sum("predicted(guess, " in cell.source for cell in one.code),
        "`test_lessons.py`",
    ),
    Row(
        "exercises, their solutions run",
        lambda one: sum("exercise" in cell.metadata for cell in one.code),
        "`test_exercises.py`",
    ),
    Row("wrong answers, each with the right message", wrong_answers, "`test_exercises.py`"),
    Row("terms with a man page and 中文", lambda one: len(list(terms(one))), "`test_lessons.py`"),
]


def checked() -> str:
    """The two tables of the README: the lessons in numbers, and the servers and the suite."""
    there = lessons()
    rows = []
    for row in ROWS:
        counts = [row.count(lesson) for lesson in there]
        rows.append([row.what, *counts, f"**{sum(counts)}**", row.held])
    head = ["in lesson", *(lesson.number for lesson in there), "all", "checked by"]
    return "\n\n".join(
        [
            table(head, rows, range(1, len(head) - 1)),
            table(["the servers and the suite that judges them", "checked by"], list(suite())),
        ]
    )


def suite() -> Iterator[list[str]]:
    """A sentence each, with its numbers, and the test that would fail."""
    matrix = of_tests("lab.conformance.test_our_servers")
    asked, servers = len(matrix.ASKED), len(matrix.SERVERS)
    cannot = sum(map(len, matrix.CANNOT.values()))
    not_asked = sum(map(len, matrix.NOT_ASKED.values()))
    said = (
        f"{asked} requirements (those of the suite and one more) x {servers} servers = "
        f"**{asked * servers}** pairs; {cannot} of them ask for what the model of the server "
        f"cannot do and must fail, {not_asked} cannot be tried, each for a reason that is given"
    )
    yield [said, "`test_our_servers.py`"]

    zoo = of_tests("lab.test_zoo")
    animals, caught = len(zoo.ANIMALS), len(zoo.CAUGHT)
    said = (
        f"**{animals}** servers in the zoo: {caught} broken ones, each caught by the requirement "
        f"that its description names, and {animals - caught} that must pass"
    )
    yield [said, "`test_zoo.py`"]

    mutations = of_tests("lab.conformance.test_mutations")
    faults, harmless = len(mutations.FAULTS), len(mutations.HARMLESS)
    said = (
        f"**{faults + harmless}** small changes to our own code, made one at a time: the suite "
        f"must catch {faults} and let {harmless} pass, each for a reason that is given"
    )
    yield [said, "`test_mutations.py`"]

    others = len(of_tests("lab.conformance.test_strangers").COMMANDS) - 1  # one of them is ours
    said = f"**{others}** servers written by others, from asyncio to socat, and how each did"
    yield [said, "`test_strangers.py`, `make soak`"]

    faults = of_tests("tools.test_browser").FAULTS
    planted = sum(line is not None for _, line in faults.values())
    said = (
        "every lesson opened in JupyterLab in Chromium: run twice, filled in, walked through with "
        "the Tab key, and judged by axe-core in both themes; and "
        f"**{planted}** planted faults, each found"
    )
    yield [said, "`test_browser.py`"]

    # Not to the last one: whoever adds a test need not change the README.
    hundreds = sum(map(tests_in, (ROOT / "tests").rglob("test_*.py"))) // 100 * 100
    yield [f"more than **{hundreds}** test functions in all", "`make test ALL=1`"]


def tests_in(path: Path) -> int:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return sum(isinstance(node, ast.FunctionDef) and node.name[:5] == "test_" for node in nodes)


# -- the figure --------------------------------------------------------------------------------


def shown() -> tuple[str, str]:
    """The cell that the README shows, in Markdown, and its drawing as a file."""
    name, cell_id = SHOWN
    for cell in [cell for one in lessons() if one.name == name for cell in one.code]:
        markup = "".join(out.get("data", {}).get("text/html", "") for out in cell.outputs)
        drawing = re.search(r'<img alt="([^"]+)"[^>]*;base64,([^"]+)"', markup)
        if cell.id == cell_id and drawing:
            alt = f"![{html.unescape(drawing[1])}]({FIGURE})"
            svg = base64.b64decode(drawing[2]).decode()
            return f"```python\n{cell.source}\n```\n\n{alt}", f"{svg}\n"
    raise Refused(f"{README} shows a figure of {name}, and no cell {cell_id!r} there draws one")


# -- the glossary ------------------------------------------------------------------------------


COMMA_ZH = "\N{FULLWIDTH COMMA}"


class Term(NamedTuple):
    english: str
    chinese: str
    described: str
    lesson: Lesson


def terms(lesson: Lesson) -> Iterator[Term]:
    """The words of a lesson; a row of its table may hold several."""
    text = next((cell.source for cell in lesson.cells if "### Words" in cell.source), "")
    for names, described, names_zh in re.findall(r"(?m)^\| (.+?) \| (.+?) \| (.+?) \|$", text)[1:]:
        english, chinese = names.split(", "), names_zh.split(COMMA_ZH)
        if len(english) != len(chinese):
            raise Refused(
                f"{lesson.name}, Words: {names!r} are {len(english)} terms, {names_zh!r} are "
                f"{len(chinese)}; what parts them is ', ' and {COMMA_ZH!r}"
            )
        for one, one_zh in zip(english, chinese, strict=True):
            yield Term(one, one_zh, described, lesson)


GLOSSARY_HEAD = """\
# Glossary: 术语表

Each term is explained in the lesson where it first appears, and in the manual page or standard that
is named here (type `man 2 select` in a terminal). `make docs` makes this table from the tables at
the end of the lessons. To change an entry, change its lesson.

"""


def glossary() -> str:
    """All words in the order of the alphabet, whatever their capitals and quotes."""
    words = [term for lesson in lessons() for term in terms(lesson)]
    words.sort(key=lambda term: (term.english.strip("`").casefold(), term.lesson.name))
    rows = [[term.english, term.chinese, term.described, term.lesson.link()] for term in words]
    return GLOSSARY_HEAD + table(["English", "中文", "described in", "lesson"], rows) + "\n"


# -- the cells that docs/teaching.md names -------------------------------------------------------

CELL = re.compile(r"\[\d+\](\s)`([a-z0-9-]+)`")


def sections(text: str) -> Iterator[tuple[str, str]]:
    """The parts of docs/teaching.md: the name of the lesson that its heading links to, if it
    does, and the text.
    """
    for part in re.split(r"(?m)^(?=## )", text):
        found = re.match(r"## \[(\d\d_\w+)\]", part)
        yield found[1] if found else "", part


def numbered(text: str) -> str:
    """`[7] `half-read``: the number is what stands beside the cell after a run from the top."""
    known = {
        lesson.name: {cell.id: cell.execution_count for cell in lesson.code} for lesson in lessons()
    }

    def renew(name: str) -> Callable[[re.Match[str]], str]:
        def renewed(found: re.Match[str]) -> str:
            if found[2] not in known.get(name, {}):
                raise Refused(f"{TEACHING}: {name or 'no lesson'} has no code cell {found[2]!r}")
            return f"[{known[name][found[2]]}]{found[1]}`{found[2]}`"

        return renewed

    return "".join(CELL.sub(renew(name), part) for name, part in sections(text))


# -- the documents -----------------------------------------------------------------------------


def filled(text: str, mark: str, new: str) -> str:
    """README.md with `new` between the two comments that carry the mark."""
    begin, end = f"<!-- {mark}: written by make docs -->", f"<!-- end of {mark} -->"
    try:
        return between(text, begin, end, new)
    except ValueError as error:
        raise Refused(f"{README}: {error}") from None


def documents() -> dict[str, str]:
    """{path: text}: each document as it should read."""
    readme = (ROOT / README).read_text(encoding="utf-8")
    cell, drawing = shown()
    readme = filled(filled(readme, "figure", cell), "checked", checked())
    teaching = (ROOT / TEACHING).read_text(encoding="utf-8")
    return {
        README: readme,
        FIGURE: drawing,
        GLOSSARY: glossary(),
        TEACHING: numbered(teaching),
    }


def main() -> int:
    """Exit code: 1, and a sentence, if something cannot be read."""
    try:
        for name, text in documents().items():
            path = ROOT / name
            old = path.read_text(encoding="utf-8") if path.is_file() else None
            print(f"{name}: {'unchanged' if text == old else 'written'}")
            if text != old:
                path.write_text(text, encoding="utf-8")
    except (Refused, OSError, NotJSONError) as error:
        print(f"docs: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
