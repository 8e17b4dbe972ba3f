"""README.md and docs/ say what the lessons and tests say, and name only what is there."""

import importlib.util
import re
import textwrap
import tomllib
from xml.etree import ElementTree

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from echo.lab import check
from echo.lab.conformance import REQUIREMENTS, title
from tests.paths import LESSONS, ROOT
from tools import docs

PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
FENCE = re.compile(r"^( *)```.*?^\1```", re.DOTALL | re.MULTILINE)
PARTS = ["The belief.", "A question for the room,", "In 30 minutes", "Trouble."]


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def rows(text, columns):
    """The rows of the tables with so many columns, without their heads."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rules = [place for place, row in enumerate(cells) if set("".join(row)) <= set("-: ")]
    heads = {place - 1 for place in rules} | set(rules)
    return [row for at, row in enumerate(cells) if at not in heads and len(row) == columns]


# -- what make docs writes --


@pytest.fixture(scope="module")
def written():
    return docs.documents()


@pytest.mark.parametrize("name", [docs.README, docs.FIGURE, docs.GLOSSARY, docs.TEACHING])
def test_document_says_what_the_tree_says(written, name):
    """Nobody counts again what stands there."""
    assert read(name) == written[name], f"{name} is out of date: run make docs"


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A function that makes a tree with one lesson, of the cells that it is given."""

    def make(*cells):
        for folder in ("notebooks", "tests/lessons/wrong_answers"):
            (tmp_path / folder).mkdir(parents=True)
        nbformat.write(new_notebook(cells=list(cells)), tmp_path / "notebooks/03_select.ipynb")
        wrong = "WRONG = {1: ['a', 'b'], 2: ['c']}"
        (tmp_path / "tests/lessons/wrong_answers/03_select.py").write_text(wrong)
        return tmp_path

    monkeypatch.setattr(docs, "ROOT", tmp_path)
    docs.lessons.cache_clear()
    yield make
    docs.lessons.cache_clear()


def html(markup):
    return new_output("display_data", {"text/html": markup})


def test_lesson_is_counted(tree):
    """Each of the numbers, on a lesson that has some of everything."""
    words = "### Words\n\n| term | described in | 中文 |\n|---|---|---|\n"
    words += f"| one, two | `man 2 intro` | 一{docs.COMMA_ZH}二 |\n| three | `man 2 intro` | 三 |"
    curve = {"tags": ["nbval-ignore-output"]}
    exercise = {"exercise": {"minutes": 1, "difficulty": "easy"}}
    tree(
        new_code_cell("a", outputs=[new_output("stream", text="1"), html("<svg></svg>")]),
        new_code_cell("b", outputs=[html('<svg aria-label="b"></svg><svg aria-label=""></svg>')]),
        new_code_cell("c", outputs=[html('<svg role="img" aria-label="c">')], metadata=curve),
        *(new_code_cell(f"predicted(guess, {n})", outputs=[html("2")]) for n in range(5)),
        *(new_code_cell("...", metadata=exercise) for _ in range(2)),
        new_markdown_cell(words),
    )
    (lesson,) = docs.lessons()
    assert [row.count(lesson) for row in docs.ROWS] == [10, 8, 1, 4, 2, 5, 2, 3, 3]


def test_words_are_parted(tree):
    """One row of the glossary for each, wherever it stands in the lesson's table."""
    words = "### Words\n\n| term | described in | 中文 |\n|---|---|---|\n"
    tree(new_markdown_cell(words + f"| `two`, One | RFC 1 | 二{docs.COMMA_ZH}一 |"))
    assert rows(docs.glossary(), 4) == [
        ["One", "一", "RFC 1", "[03_select](../notebooks/03_select.ipynb)"],
        ["`two`", "二", "RFC 1", "[03_select](../notebooks/03_select.ipynb)"],
    ]


def test_words_that_do_not_match_are_refused(tree):
    """Two terms with one Chinese name: which of them is it?"""
    words = "### Words\n\n| term | described in | 中文 |\n|---|---|---|\n"
    tree(new_markdown_cell(words + "| one, two | RFC 1 | 一 |"))
    with pytest.raises(docs.Refused, match="03_select, Words: 'one, two' are 2 terms, '一' are 1"):
        docs.glossary()


def test_cells_are_numbered_anew(tree):
    """A cell that was put in before them moves all the others."""
    tree(new_code_cell("a", id="first", execution_count=4))
    head = "# T\n\n## [03_select](x)\n\n"
    assert docs.numbered(f"{head}See [1]\n`first`.") == f"{head}See [4]\n`first`."


@pytest.mark.parametrize("head", ["## [03_select](x)", "## [04_poll](x)", "## Machines"])
def test_cell_that_is_not_there_is_refused(tree, head):
    """It was renamed, or stands in the section of another lesson."""
    tree(new_code_cell("a", id="first", execution_count=1))
    with pytest.raises(docs.Refused, match=r"docs/teaching\.md: .* has no code cell 'second'"):
        docs.numbered(f"{head}\n\nSee [1] `second`.")


@pytest.mark.parametrize(
    "text",
    [
        "no comment",
        "<!-- m: written by make docs -->\n",
        "\n<!-- end of m -->\n<!-- m: written by make docs -->\n",
    ],
    ids=["none", "one", "wrong order"],
)
def test_readme_without_its_comments_is_refused(text):
    """Otherwise what was counted would be written nowhere, and nobody would notice."""
    with pytest.raises(docs.Refused, match=r"README\.md"):
        docs.filled(text, "m", "new")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda folder: None,
            r"README\.md shows a figure of 03_select, and no cell 'try-hello' .+",
        ),
        (lambda folder: (folder / "README.md").unlink(), r".*README\.md.*"),
        (lambda folder: (folder / "notebooks/03_select.ipynb").write_text("{"), ".*JSON.*"),
    ],
    ids=["no figure", "no README", "no notebook"],
)
def test_refusal_is_one_sentence(tree, capsys, spoil, said):
    """Whoever calls make docs reads a line, not a traceback."""
    folder = tree(new_code_cell("a"))
    (folder / "README.md").touch()
    spoil(folder)
    assert docs.main() == 1
    assert re.fullmatch(f"docs: {said}\n", capsys.readouterr().err)


def test_figure_is_a_picture_by_itself():
    """A browser shows an SVG file only if it is XML; and nothing in it may run or be fetched."""
    tree = ElementTree.fromstring(read(docs.FIGURE))
    assert tree.tag == "{http://www.w3.org/2000/svg}svg"
    kinds = {node.tag.rpartition("}")[2] for node in tree.iter()}
    assert not kinds & {"script", "foreignObject", "image", "style"}
    assert not re.search(r"(href|url)\W+http", read(docs.FIGURE))


# -- the README --


def test_readme_has_the_minutes_of_the_cards():
    """Reading and exercises together."""
    shown = dict(
        re.findall(r"(?m)^\| \[(\d\d_\w+)\]\S+ \| .+ \| (\d+) minutes \|$", read("README.md"))
    )
    cards = {path.stem: nbformat.read(path, 4).metadata.lesson["time"] for path in LESSONS}
    assert {name: int(minutes) for name, minutes in shown.items()} == {
        name: sum(map(int, re.findall(r"\d+", time))) for name, time in cards.items()
    }


@pytest.mark.timing
def test_first_server_is_judged_as_the_readme_says(capsys):
    """What the newcomer sees after her first hour, from the solution that the lesson has."""
    (cell,) = [cell for cell in nbformat.read(LESSONS[0], 4).cells if cell.id == "ex2-hints"]
    code = re.search(r"(?s)```python\n(.*?)```", cell.source.partition("Solution")[2])[1]
    exec(code, {"check": check})
    (said,) = re.findall(r"(?s)In the end it says\n\n( +)```\n(.*?)```", read("README.md"))
    assert textwrap.dedent(said[1]).strip() == capsys.readouterr().out.strip()


def test_readme_knows_how_long_the_suite_is():
    assert f"meets all {len(REQUIREMENTS)}" in read("README.md")


# -- how to cite --


def test_citation_is_that_of_the_package():
    citation = yaml.safe_load(read("CITATION.cff"))
    project = tomllib.loads(read("pyproject.toml"))["project"]
    assert citation["version"] == project["version"]
    assert citation["authors"] == project["authors"]
    assert citation["title"] == read("README.md").partition("\n")[0].removeprefix("# ")


def test_bibtex_is_the_citation():
    """And its year that of the copyright."""
    citation = yaml.safe_load(read("CITATION.cff"))
    fields = dict(re.findall(r"(?m)^ +(\w+) += \{+(.+?)\}+,?$", read("README.md")))
    assert fields["author"] == citation["authors"][0]["name"]
    assert fields["title"] == citation["title"]
    assert f"version {citation['version']}" in fields["note"]
    assert f"Copyright (c) {fields['year']} {fields['author']}" in read("LICENSE")


# -- the teacher's page --


@pytest.fixture(scope="module")
def teaching():
    """{lesson: its section}."""
    return {name: text for name, text in docs.sections(read(docs.TEACHING)) if name}


def test_each_lesson_has_its_section(teaching):
    assert list(teaching) == [path.stem for path in LESSONS]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
class TestTeaching:
    def test_has_its_parts_in_order(self, teaching, path):
        """Belief, question, what to keep, trouble: a teacher knows where to look."""
        bold = re.findall(r"(?m)^\*\*(.+?)\*\*", teaching[path.stem])
        assert bold == PARTS

    def test_table_has_every_section(self, teaching, path):
        """By its heading, in the order of the lesson."""
        cells = [cell.source for cell in nbformat.read(path, 4).cells]
        headings = [found for text in cells for found in re.findall(r"(?m)\A## (.+)$", text)]
        listed = [name for name, _, _ in rows(teaching[path.stem], 3)]
        assert sorted(listed) == sorted(headings)
        order = [name for name in listed if name in headings and name[:8] != "Exercise"]
        assert order == [name for name in headings if name in order]

    def test_minutes_are_those_of_the_card(self, teaching, path):
        """Reading adds up to what the card says, and an exercise takes what it says itself."""
        notebook = nbformat.read(path, 4)
        reading, exercises = map(int, re.findall(r"\d+", notebook.metadata.lesson["time"]))
        minutes = {name: int(number) for name, number, _ in rows(teaching[path.stem], 3)}
        doing = [number for name, number in minutes.items() if name.startswith("Exercise")]
        about = [cell.metadata.get("exercise") for cell in notebook.cells]
        assert doing == [one["minutes"] for one in about if one]
        assert sum(doing) == exercises
        assert sum(minutes.values()) - sum(doing) == reading

    def test_thirty_minutes_are_enough(self, teaching, path):
        """For what is kept; and nothing is kept for longer than it takes."""
        table = rows(teaching[path.stem], 3)
        assert all(kept == "-" or int(kept) <= int(whole) for _, whole, kept in table)
        assert 25 <= sum(int(kept) for *_, kept in table if kept != "-") <= 30

    def test_question_is_settled_by_the_lesson(self, teaching, path):
        """The page names the section, in quotes, or the cell that has the answer."""
        question = teaching[path.stem].partition(f"**{PARTS[1]}**")[2].partition("\n\n")[0]
        assert "?" in question
        sections = [name for name, _, _ in rows(teaching[path.stem], 3)]
        quoted = re.findall(r'"([^"]+)"', " ".join(question.split()))
        assert docs.CELL.search(question) or set(quoted) & set(sections)


def test_numbers_in_brackets_are_cells():
    """One in any other form would not be held to its lesson; a section's name is better."""
    text = read(docs.TEACHING)
    assert len(re.findall(r"\[\d+\]", text)) == len(docs.CELL.findall(text))


def test_grading_names_requirements():
    """`--until` takes the name of one, and so many are asked up to it."""
    names = [title(one) for one in REQUIREMENTS]
    part = read(docs.TEACHING).partition("\n## To collect and judge")[2].partition("\n## ")[0]
    graded = rows(part, 3)
    assert len(graded) >= len(LESSONS) - 1
    for _, until, count in graded:
        last = names[-1] if until == "(none: all of them)" else until
        assert names.index(last) + 1 == int(count)
    for until in re.findall(r'--until "(.+?)"', "".join(map(read, map(str, PAGES)))):
        assert until in names


# -- all pages --


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
class TestPages:
    def test_links_lead_somewhere(self, page):
        """Each to a file that is there, from where the page is, or to the web."""
        text = FENCE.sub("", page.read_text(encoding="utf-8"))
        for to in re.findall(r"\]\(([^)\s]+)\)", text):
            if not re.match(r"https?://", to):
                assert (page.parent / to.partition("#")[0]).exists(), to

    def test_what_it_names_is_there(self, page):
        """Files of tests and tools, and targets of make."""
        text = page.read_text(encoding="utf-8")
        for name in re.findall(r"\btest_\w+\.py\b", text):
            assert len([*ROOT.glob(f"tests/**/{name}")]) == 1, name
        for name in re.findall(r"\b(?:tools|tests|echo)/[\w/]+\.py\b", text):
            assert (ROOT / name).is_file(), name
        for name in re.findall(r"python -m ((?:tools|tests|benchmarks)\.[\w.]+)", text):
            assert importlib.util.find_spec(name), name
        targets = set(re.findall(r"(?m)^(\w+):", read("Makefile")))
        assert {*re.findall(r"(?:`|^)make ([a-z]+)\b", text, re.MULTILINE)} <= targets
