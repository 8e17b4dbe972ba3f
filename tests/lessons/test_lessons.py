"""A lesson has the shape that readers rely on: card, steps, predictions, exercises, an end.

The main path is what everybody reads: all cells before "## What you now know", except those
of the exercises.  An exercise reaches from its heading "## Exercise N: ..." to the next heading
of the same level, wherever it stands.  The numbers are in LIMITS.

Whether the stored outputs are true is tested by test_stored.py and by nbval.
"""

import ast
import json
import re
import statistics

import pytest

from tests.paths import LESSONS

LIMITS = {  # of the main path, except that the names are those of the whole lesson
    "code cells": 30,
    "words": 2200,
    "predictions": (5, 9),
    "new names": 6,
}
OWN_LIMITS = {  # the first lesson is short, and it is the tour of the bench
    "00_start_here": {
        "code cells": 15,
        "words": 1200,
        "predictions": (3, 6),
        "new names": 15,
    },
}
IN_STAGES = {"10_your_server"}  # each exercise goes on with what the learner has written so far
BOX = re.compile(
    r"## Exercise \d+: .+\n\n"
    r'<div class="alert alert-block alert-info" style="background: none">\n\n'
    r"\*[A-Z].+?\* (?:(?!</?div).)+\n\n"
    r"</div>\n?",
    re.DOTALL,
)
CARD = {
    "time": "Time",
    "needs": "Needs",
    "build": "You will build",
    "able": "You will be able to",
    "runs on": "Runs on",
}
DETAILS = re.compile(r"<details>.*?</details>", re.DOTALL)
FENCE = re.compile(r"```.*?```", re.DOTALL)
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
NEXT = {
    path.stem: after for path, after in zip(LESSONS, [p.name for p in LESSONS[1:]], strict=False)
}
ENDING = ["## What you now know", "### Three questions", "### Words", "### The same in a terminal"]


class Lesson:
    def __init__(self, path):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        self.card = notebook["metadata"].get("lesson", {})
        self.cells = notebook["cells"]
        for cell in self.cells:
            cell["text"] = "".join(cell["source"])
        self.code = [cell for cell in self.cells if cell["cell_type"] == "code"]
        self.prose = [cell for cell in self.cells if cell["cell_type"] == "markdown"]

    def part(self, heading):
        """The cells from one heading to the next of its level or above."""
        level = heading.split()[0]
        found = []
        for cell in self.cells:
            above = re.search(rf"(?m)^#{{1,{len(level)}}} .*", cell["text"])
            if cell["cell_type"] == "markdown" and above and found:
                break
            if found or (cell["cell_type"] == "markdown" and heading in cell["text"]):
                found.append(cell)
        return found

    def before_the_end(self):
        """The cells up to the summary."""
        end = next(i for i, cell in enumerate(self.cells) if ENDING[0] in cell["text"])
        return self.cells[:end]

    def main_path(self):
        """The cells that everybody reads: before the summary, and of no exercise."""
        exercise = {cell["id"] for _, cells in exercises(self) for cell in cells}
        return [cell for cell in self.before_the_end() if cell["id"] not in exercise]


@pytest.fixture(params=LESSONS, ids=lambda path: path.stem, scope="module")
def lesson(request):
    return Lesson(request.param)


@pytest.fixture
def name(request):
    return request.node.callspec.params["lesson"].stem


@pytest.fixture
def limits(name):
    return LIMITS | OWN_LIMITS.get(name, {})


def code_of(cells):
    return [cell for cell in cells if cell["cell_type"] == "code"]


def prose_of(cells):
    return [cell for cell in cells if cell["cell_type"] == "markdown"]


def words(text):
    """What is read as prose: no tables, listings, headings or tags, nothing folded away."""
    text = re.sub(r"<[^>]+>", "", FENCE.sub("", DETAILS.sub("", text)))
    lines = [line for line in text.splitlines() if not line.startswith(("|", "#"))]
    return len(" ".join(lines).split())


def lines(code):
    """What has to be understood: not the imports, nor the line that holds a guess."""
    easy = re.compile(r"(from|import) |guess = \.\.\.$")
    return sum(bool(line) and not easy.match(line) for line in code.splitlines())


def figures(cell):
    """The outputs of a code cell, as HTML, that are a drawing or a table."""
    markup = ["".join(o.get("data", {}).get("text/html", "")) for o in cell["outputs"]]
    return [text for text in markup if re.search(r"<(img|table)\b", text)]


def links(text):
    """(whether it is a picture, its words, where it leads) of each link outside of code."""
    text = re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))
    return [(bool(picture), said, to) for picture, said, to in LINK.findall(text)]


def terms(lesson):
    """The rows of its table of words: term, where it is described, its Chinese name."""
    table = lesson.part("### Words")[0]["text"]
    return re.findall(r"(?m)^\| (.+?) \| (.+?) \| (.+?) \|$", table)[1:]


def exercises(lesson):
    """Each exercise: its heading and its cells."""
    for cell in lesson.prose:
        if found := re.search(r"(?m)^## (Exercise (\d+): .+)", cell["text"]):
            yield int(found[2]), lesson.part(f"## {found[1]}")


def bench_names(lesson):
    """Each name that a code cell imports from echo.lab, in order."""
    found = []
    for cell in lesson.code:
        for node in ast.walk(ast.parse(cell["text"])):
            if isinstance(node, ast.ImportFrom) and node.module == "echo.lab":
                found += [alias.name for alias in node.names]
    return list(dict.fromkeys(found))


def new_names(lesson, name):
    """Those that no earlier lesson imports."""
    earlier = [Lesson(path) for path in LESSONS if path.stem < name]
    known = {bench_name for other in earlier for bench_name in bench_names(other)}
    new = [bench_name for bench_name in bench_names(lesson) if bench_name not in known]
    return [bench_name for bench_name in new if not bench_name.isupper()]  # CASES is data


def uses(code, bench_name):
    return any(
        isinstance(node, ast.Name) and node.id == bench_name for node in ast.walk(ast.parse(code))
    )


def test_title_names_its_topic(lesson, name):
    """And the verb says what the reader does: "05 epoll: leave the list with the kernel"."""
    title = lesson.cells[0]["text"].splitlines()[0]
    assert re.fullmatch(rf"# {name[:2]} \w[^:]*: [a-z].+", title), title


def test_begins_with_a_puzzle_of_at_most_120_words(lesson):
    """Nobody came to read an introduction."""
    first = next(i for i, cell in enumerate(lesson.cells) if cell["cell_type"] == "code")
    puzzle = [cell["text"] for cell in lesson.cells[:first]]
    assert "?" in puzzle[0], "the opening cell asks no question"
    assert sum(map(words, puzzle)) <= 120


def test_card_and_metadata_agree(lesson):
    """The card is read by people, the metadata by the site and by whoever plans a course."""
    table = dict(re.findall(r"(?m)^\| ([^|]+?) +\| (.+?) \|$", lesson.cells[1]["text"]))
    assert set(lesson.card) == set(CARD)
    assert {key: table.get(label) for key, label in CARD.items()} == lesson.card


def test_length(lesson, limits):
    """A stranger gets through the main path in the minutes of the card."""
    path = lesson.main_path()
    assert len(code_of(path)) <= limits["code cells"]
    assert sum(words(cell["text"]) for cell in prose_of(path)) <= limits["words"]


def test_something_to_do_comes_early(lesson):
    """At least half of the code cells before the summary come after the first exercise begins."""
    cells = lesson.before_the_end()
    first = next(i for i, cell in enumerate(cells) if "## Exercise 1: " in cell["text"])
    before, every = len(code_of(cells[:first])), len(code_of(cells))
    assert before <= every / 2, f"{before} of {every} code cells stand before it"


def test_few_new_names_each_introduced(lesson, name, limits):
    """Each new name of the bench stands as code in a sentence, at its first use or before."""
    new = new_names(lesson, name)
    assert len(new) <= limits["new names"], new
    for bench_name in new:
        users = [
            i
            for i, cell in enumerate(lesson.cells)
            if cell["cell_type"] == "code" and uses(cell["text"], bench_name)
        ]
        assert users, f"{bench_name} is imported and never used"
        said = "\n".join(cell["text"] for cell in prose_of(lesson.cells[: users[0] + 2]))
        assert re.search(rf"`{bench_name}\b[^`]*`", said), f"{bench_name} is not introduced"


def test_code_cells_are_short(lesson, name):
    """One new thing in each."""
    lengths = {cell["id"]: lines(cell["text"]) for cell in lesson.code}
    fewest = 1 if name in IN_STAGES else 2  # half of its cells are a check, or the line above it
    assert fewest <= statistics.median(lengths.values()) <= 4
    long = [name for name, length in lengths.items() if length > 10]
    assert len(long) <= 0.1 * len(lengths), long
    assert max(lengths.values()) <= 25


def test_nearly_every_code_cell_follows_prose(lesson):
    """The prose says what the cell is going to find out."""
    kinds = [cell["cell_type"] for cell in lesson.cells]
    alone = [
        lesson.cells[i]["id"]
        for i in range(1, len(kinds))
        if kinds[i] == "code" and kinds[i - 1] == "code"
    ]
    assert len(alone) <= 0.15 * len(lesson.code), alone


def test_prose_cells_are_short(lesson):
    """As long as the thought needs, and short enough to keep in mind."""
    counts = {cell["id"]: words(cell["text"]) for cell in lesson.prose}
    assert not {name: count for name, count in counts.items() if count > 120}


def test_predictions(lesson, limits):
    """Five to nine, each left open, each held against what was measured."""
    guesses = [cell for cell in lesson.code if "guess = ..." in cell["text"].splitlines()]
    fewest, most = limits["predictions"]
    assert fewest <= len(guesses) <= most
    for cell in guesses:
        assert "predicted(guess, " in cell["text"], cell["id"]
    compared = [cell["id"] for cell in lesson.code if "predicted(guess" in cell["text"]]
    assert compared == [cell["id"] for cell in guesses]


def test_real_code_is_read(lesson):
    """What is shown is what ran: by source() or diff(), never pasted."""
    assert any(re.search(r"(?m)^(source|diff)\(", cell["text"]) for cell in lesson.code)


def test_call_outs_name_the_right_lines(lesson):
    """**Line 23**, `code`: what stands there in the file that was shown last."""
    shown = []
    for cell in lesson.cells:
        if cell["text"].splitlines()[-1].startswith("source("):
            shown = "".join(cell["outputs"][0]["data"]["text/plain"]).splitlines()
        for number, code in re.findall(r"\*\*Line (\d+)\*\*, `([^`]+)`", cell["text"]):
            assert code in shown[int(number) - 1], f"{cell['id']}, line {number}: {code}"


def test_taped_cells_with_plain_sockets_settle(lesson):
    """Two clients that do not wait for the server give a dozen different tapes."""
    taped = False
    for cell in lesson.code:
        if "start(" in cell["text"]:
            taped = "tape" in cell["text"]
        plain = "create_connection(server.address" in cell["text"]
        assert not (taped and plain and "settle(" not in cell["text"]), cell["id"]


def test_announced_errors_are_read(lesson):
    """An error is followed by a sentence that says what it means."""
    for cell, after in zip(lesson.cells, lesson.cells[1:], strict=False):
        if "raises-exception" in cell["metadata"].get("tags", []):
            assert after["cell_type"] == "markdown", cell["id"]


class TestFigures:
    def test_there_is_one_for_eight_cells(self, lesson):
        """On the main path; what an exercise needs is the learner's own to draw."""
        cells = code_of(lesson.main_path())
        assert sum(len(figures(cell)) for cell in cells) >= len(cells) // 8

    def test_a_cell_draws_one(self, lesson):
        assert not [cell["id"] for cell in lesson.code if len(figures(cell)) > 1]

    def test_each_is_told_in_words(self, lesson):
        """To whom does not see it: a drawing by its alt text, a table by its caption.

        And as an <img>: <svg> is dropped where a notebook is not trusted.
        """
        for cell in lesson.code:
            for markup in figures(cell):
                assert "<svg" not in markup, f"{cell['id']}: an inline <svg>"
                images, tables = (re.findall(rf"<{tag}\b", markup) for tag in ("img", "table"))
                alts = re.findall(r'<img alt="([^"]+)"', markup)
                captions = re.findall(r"<table[^>]*><caption[^>]*>(?:<b>)?[^<]+", markup)
                assert len(alts) == len(images), f"{cell['id']}: a drawing has no alt text"
                assert len(captions) == len(tables), f"{cell['id']}: a table has no caption"
                assert all(len(alt.split()) >= 5 for alt in alts), f"{cell['id']}: {alts}"

    def test_pictures_in_prose_have_their_words(self, lesson):
        for cell in lesson.prose:
            assert all(said for picture, said, _ in links(cell["text"]) if picture), cell["id"]
            for image in re.findall(r"<img\b[^>]*>", cell["text"]):
                assert re.search(r'\balt="[^"]+"', image), cell["id"]


class TestLinks:
    def test_each_leads_somewhere(self, lesson):
        """A file beside the lesson, or a page that is asked for safely."""
        for cell in lesson.prose:
            for _, said, to in links(cell["text"]):
                assert said, f"{cell['id']}: a link to {to} that says nothing"
                if not to.startswith("https://"):
                    assert (LESSONS[0].parent / to).is_file(), f"{cell['id']}: {to}"

    def test_a_lesson_needs_earlier_ones(self, lesson, name):
        """By a link to each; nothing is taken from a later one without its name."""
        needed = [to.removesuffix(".ipynb") for _, _, to in links(lesson.card["needs"])]
        assert needed or LESSONS[0].stem == name
        assert all(other < name for other in needed)

    def test_goes_on_to_the_next(self, lesson, name):
        if name in NEXT:
            text = next(cell["text"] for cell in lesson.prose if "**Next:**" in cell["text"])
            line = text.partition("**Next:**")[2].partition("\n")[0]
            assert NEXT[name] in [to for _, _, to in links(line)]


def test_what_folds_is_closed(lesson):
    """Otherwise the rest of the page folds with it; and Markdown in it needs a blank line."""
    for cell in lesson.prose:
        text = FENCE.sub("", cell["text"])
        opened = re.findall(r"<details><summary>.+?</summary>\n\n", text)
        assert len(opened) == text.count("<details") == text.count("\n\n</details>"), cell["id"]


class TestExercises:
    def test_there_are_three(self, lesson):
        assert [number for number, _ in exercises(lesson)][:3] == [1, 2, 3]

    def test_each_is_complete(self, lesson, name):
        """Minutes and difficulty, a stub, a check, two hints, a solution: in this order."""
        for number, cells in exercises(lesson):
            assert BOX.fullmatch(cells[0]["text"]), f"exercise {number} does not stand in its box"
            stubs = [i for i, cell in enumerate(cells) if "exercise" in cell["metadata"]]
            assert len(stubs) == 1, f"exercise {number}: one cell with the stub"
            stub = cells[stubs[0]]
            about = stub["metadata"]["exercise"]
            assert set(about) == {"minutes", "difficulty"}
            assert about["difficulty"] in {"easy", "medium", "hard"}
            said = f"{about['difficulty'].capitalize()}, {about['minutes']} minutes"
            assert said in cells[0]["text"], f"exercise {number} does not say: {said}"
            changes = name in IN_STAGES and stub["text"].startswith("# ") and number > 1
            left_open = has_ellipsis(stub["text"]) or changes
            assert left_open, f"exercise {number}: nothing is left open"
            text, check, hints = cells[stubs[0] + 1 : stubs[0] + 4]
            assert text["cell_type"] == "markdown"
            assert re.search(r"(?m)^check", check["text"]), f"exercise {number} has no check"
            folded = re.findall(r"<details><summary>(.+?)</summary>", hints["text"])
            assert folded == ["Hint 1", "Hint 2", "Solution"], f"exercise {number}: {folded}"
            assert cells[-1] is hints, f"exercise {number} goes on after its solution"

    def test_minutes_add_up(self, lesson):
        """The card says how long the exercises take."""
        total = sum(
            cell["metadata"]["exercise"]["minutes"]
            for cell in lesson.code
            if "exercise" in cell["metadata"]
        )
        assert f"then {total} for the exercises" in lesson.card["time"]


def has_ellipsis(code):
    return any(
        isinstance(node, ast.Constant) and node.value is ... for node in ast.walk(ast.parse(code))
    )


def explained(call):
    """The heading to which a check sends a learner whose answer is wrong."""
    name = getattr(call.func, "id", "")
    by_place = call.args[2:3] if name in ("check_answer", "check_function") else []
    by_name = [keyword.value for keyword in call.keywords if keyword.arg == "explained"]
    return [node.value for node in by_place + by_name if isinstance(node, ast.Constant)]


def test_a_check_points_to_a_section_of_its_lesson(lesson):
    """Who reads that a section shows why goes and looks for it."""
    headings = re.findall(r"(?m)^#+ (.+)", "\n".join(cell["text"] for cell in lesson.prose))
    for cell in lesson.code:
        calls = [node for node in ast.walk(ast.parse(cell["text"])) if isinstance(node, ast.Call)]
        for call in calls:
            assert set(explained(call)) <= set(headings), cell["id"]


class TestEnd:
    def test_parts_stand_in_order(self, lesson):
        text = "\n".join(cell["text"] for cell in lesson.prose)
        places = [text.find(heading) for heading in ENDING]
        assert -1 not in places
        assert places == sorted(places)
        for word in ["**In production**", "**Next:**", "**Read on:**"]:
            assert word in text

    def test_three_things_mirror_the_card(self, lesson):
        know = lesson.part("## What you now know")[0]["text"]
        assert len(re.findall(r"(?m)^- You can ", know)) == 3
        assert lesson.card["able"].count(", ") == 2, "three things, with commas between"

    def test_quiz_tells_why(self, lesson):
        """Three questions of three options, each folded, each opening with Right or No."""
        quiz = lesson.part("### Three questions")[0]["text"]
        parts = re.split(r"(?m)^\*\*(\d)\. ", quiz)
        assert parts[1::2] == ["1", "2", "3"]
        for question in parts[2::2]:
            options = re.findall(r"<summary>.+?</summary>\s+(Right|No)\b", question)
            assert sorted(options) == ["No", "No", "Right"], question

    def test_words_have_a_place_and_a_chinese_name(self, lesson):
        rows = terms(lesson)
        assert len(rows) >= 5
        for term, where, chinese in rows:
            assert re.search("man |RFC|Python's (glossary|documentation)", where), term
            assert re.search(r"[\u4e00-\u9fff]", chinese), term

    def test_words_are_explained_here_and_nowhere_before(self, lesson, name):
        """Each stands in the text of its lesson, and in the table of no earlier one."""
        text = " ".join(
            cell["text"] for cell in lesson.cells if "### Words" not in cell["text"]
        ).casefold()
        earlier = {
            term: path.stem
            for path in LESSONS
            if path.stem < name
            for row in terms(Lesson(path))
            for term in row[0].split(", ")
        }
        for term in [term for row in terms(lesson) for term in row[0].split(", ")]:
            assert all(word in text for word in re.findall(r"\w+", term.casefold())), (
                f"{term!r} is not in the text"
            )
            assert term not in earlier, f"{term!r} is explained in {earlier[term]}"

    def test_last_cell_cleans_up(self, lesson):
        last = lesson.cells[-1]
        assert last["text"].splitlines()[-1] == "leftovers(stop=True)"
        assert "".join(last["outputs"][0]["text"]) == "0 threads, 0 sockets left\n"
