"""Every exercise can be done as its solution says, and otherwise; wrong answers are told why.

The cells run in a kernel, as they do for a learner; wrong_answers/ holds the answers.
"""

import ast
import re
import runpy

import nbformat
import pytest

from echo.lab import check_answer, check_function, predicted
from echo.lab.display import light
from tests.paths import LESSONS, ROOT
from tools import execute

WRONG_ANSWERS = ROOT / "tests/lessons/wrong_answers"
SOLVED = re.compile(r"^Right|^(\d+) of \1 requirements met by ", re.MULTILINE)


def imports(cells):
    """All that the lesson imports anywhere; an exercise needs nothing else from it."""
    for cell in cells:
        for node in ast.parse(cell.source).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield ast.unparse(node)


def parts(notebook):
    """Of each exercise: its stub, its check and the code of its solution."""
    cells = notebook.cells
    for place, cell in enumerate(cells):
        if "exercise" in cell.metadata:
            check, hints = cells[place + 2].source, cells[place + 3].source
            solution = hints.partition("<summary>Solution</summary>")[2]
            code = re.search(r"```python\n(.*?)```", solution, re.DOTALL)[1]
            yield cell.source, check, code


def answers_to(path):
    """What the file of a lesson in wrong_answers/ holds: RIGHT, WRONG and, if need be, more."""
    return runpy.run_path(str(WRONG_ANSWERS / f"{path.stem}.py"))


def given(code, file):
    """The cells of a lesson that all of its exercises build on, as the wrong answers name them."""
    names = file.get("GIVEN", [])
    return "\n\n".join(cell.source for cell in code if cell.id in names)


def said(cell):
    """What a cell prints, the words of its verdict, or its error."""
    return "".join(
        output.get("text") or output.get("data", {}).get("text/plain") or f"{output.get('evalue')}"
        for output in cell.outputs
    )


@pytest.fixture(params=LESSONS, ids=lambda path: path.stem, scope="module")
def answers(request):
    """What the checks of a lesson say: {(exercise, which answer): (text, what is expected)}."""
    notebook = nbformat.read(request.param, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    file = answers_to(request.param)
    untouched, before = file.get("UNTOUCHED", {}), [given(code, file)]
    tried = {}  # (exercise, answer) -> its cells, the last of which prints
    for number, (stub, check, solution) in enumerate(parts(notebook), 1):
        so_far = "\n\n".join(before)
        expected = re.escape(untouched.get(number, "Not attempted yet"))
        tried[number, "untouched"] = [so_far, stub, check], re.compile(f"^{expected}")
        tried[number, "solution"] = [so_far, solution], SOLVED
        for which, answer in enumerate(file["RIGHT"][number], 1):
            tried[number, f"right {which}"] = [so_far, answer, check], SOLVED
        for which, (answer, expected) in enumerate(file["WRONG"][number], 1):
            found = re.compile(re.escape(expected))
            tried[number, f"wrong {which}"] = [so_far, answer, check], found
        if "GIVEN" in file:  # the next exercise goes on from here
            before.append(solution.replace(check, ""))
    sources = ["\n".join(dict.fromkeys(imports(code)))]
    sources += [source for cells, _ in tried.values() for source in cells]
    sources.append(code[-1].source)
    sheet = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in sources])
    execute.run(request.param, sheet)
    outputs = iter(sheet.cells[1:])
    texts = {
        key: ([said(next(outputs)) for _ in cells][-1], expected)
        for key, (cells, expected) in tried.items()
    }
    return texts, said(sheet.cells[-1])


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_each_exercise_has_different_answers(path):
    """Two right ones besides the solution and three wrong ones, no two of them the same code."""
    file, exercises = answers_to(path), parts(nbformat.read(path, as_version=4))
    for number, (_, check, solution) in enumerate(exercises, 1):
        right, wrong = file["RIGHT"][number], [answer for answer, _ in file["WRONG"][number]]
        assert len(right) >= 2, number
        assert len(wrong) >= 3, number
        seen = {}
        for answer in [solution.replace(check, ""), *right, *wrong]:
            code = ast.dump(ast.parse(answer))
            assert code not in seen, (number, answer, seen[code])
            seen[code] = answer


def told(answers, kind):
    return {key: pair for key, pair in answers[0].items() if key[1].startswith(kind)}


@pytest.mark.long
def test_an_untouched_stub_is_not_attempted(answers):
    for key, (text, expected) in told(answers, "untouched").items():
        assert expected.search(text), (key, text)


@pytest.mark.long
def test_each_solution_passes(answers):
    for key, (text, expected) in told(answers, "solution").items():
        assert expected.search(text), (key, text)


@pytest.mark.long
def test_right_answers_may_be_written_otherwise(answers):
    for key, (text, expected) in told(answers, "right").items():
        assert expected.search(text), (key, text)


@pytest.mark.long
def test_wrong_answers_are_told_why(answers):
    for key, (text, expected) in told(answers, "wrong").items():
        assert expected.search(text), (key, text)


@pytest.mark.long
def test_nothing_is_left_behind(answers):
    assert answers[1] == "0 threads, 0 sockets left\n"


@pytest.mark.parametrize(
    ("guess", "value", "said"),
    [
        (..., 2, "2"),
        (2, 2, "✓ 2, as you said."),
        ((3, 7), [3, 7], "✓ [3, 7], as you said."),
        ("sigio", ["sigio"], "✓ ['sigio'], as you said."),
        ("sigio", ["sigio", "poll"], "✗ ['sigio', 'poll'], but you said 'sigio'."),
        ("A part ", "a part", "✓ 'a part', as you said."),
        ("true", True, "✓ True, as you said."),
        ("hello", b"hello", "✓ b'hello', as you said."),
        (1, 2, "✗ 2, but you said 1."),
        (1, True, "✗ True, but you said 1."),
        (None, 0, "✗ 0, but you said None."),
    ],
)
def test_prediction_is_held_against_what_was_measured(guess, value, said):
    """Brackets, capitals and quotes are no part of it; True is not 1."""
    assert repr(predicted(guess, value)) == said


def test_a_prediction_is_seen_to_be_right_or_wrong():
    """By color and by sign; one that was not made has neither."""
    right, wrong, none = (predicted(guess, 2)._repr_html_() for guess in (2, 3, ...))
    assert f"background: {light('new')}" in right
    assert f"background: {light('gone')}" in wrong
    assert none is None


def stub(data):
    """Half of it."""
    ...  # noqa: PIE790


def halves(data):
    return data[: len(data) // 2]


def drops_the_last(data):
    return data[:-1]


def misspells(data):
    return dat[0]  # noqa: F821


CASES = {(b"hello!",): b"hel", (7,): TypeError}
EXPLAINED = '      "Where they are" shows why.'


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (stub, ["Not attempted yet: replace the ... in stub()."]),
        (
            halves,
            [
                "pass  halves(b'hello!') gives b'hel'",
                "pass  halves(7) raises TypeError: object of type 'int' has no len() (line N)",
                "",
                "Right: 2 of 2.",
            ],
        ),
        (
            drops_the_last,
            [
                "FAIL  drops_the_last(b'hello!')",
                "",
                "      expected  b'hel'",
                "      came      b'hello'",
                "",
                EXPLAINED,
            ],
        ),
        (
            misspells,
            [
                "FAIL  misspells(b'hello!')",
                "",
                "      expected  b'hel'",
                "      came      NameError: name 'dat' is not defined (line N)",
                "",
                EXPLAINED,
            ],
        ),
    ],
    ids=["stub", "right", "wrong", "raises"],
)
def test_function_is_held_against_its_cases(function, said, capsys):
    """What was expected, what came, and where it is explained."""
    check_function(function, CASES, "Where they are")
    lines = re.sub(r"line \d+", "line N", capsys.readouterr().out).splitlines()
    assert lines == said


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (..., "Not attempted yet: replace the ... by your answer."),
        ([..., "client 1"], "Not attempted yet: replace the ... by your answer."),
        ({"client 2", "client 1"}, "yes  client 1\nyes  client 2\n\nRight."),
        ("client 1", 'yes  client 1\n\nNot yet: 1 of 2 is missing.\n"Waiting" shows why.'),
        (
            ["client 1", "client 3"],
            ('yes  client 1\nno   client 3\n\nNot yet: the second is wrong.\n"Waiting" shows why.'),
        ),
        (
            "client 3",
            (
                "no   client 3\n\n"
                'Not yet: your answer is wrong, and 2 are needed.\n"Waiting" shows why.'
            ),
        ),
        (
            ["client 1", "client 3", "client 2"],
            (
                "yes  client 1\nno   client 3\nyes  client 2\n\n"
                'Not yet: not all of these belong there.\n"Waiting" shows why.'
            ),
        ),
    ],
    ids=["stub", "half a stub", "right", "missing", "one wrong", "wrong alone", "one too many"],
)
def test_answer_is_held_against_what_was_measured(answer, said, capsys):
    """A wrong one is named; a missing one is left to be found."""
    check_answer(answer, ["client 1", "client 2"], "Waiting")
    assert capsys.readouterr().out.rstrip() == said


def test_answer_may_be_written_as_a_text(capsys):
    """If 'False' were refused, and then True as well, who would look for the quotes?"""
    check_answer(["poll", "false"], ["poll", False], "Waiting")
    assert capsys.readouterr().out.splitlines() == ["yes  poll", "yes  False", "", "Right."]
