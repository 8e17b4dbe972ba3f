"""The lessons in a real JupyterLab in a real browser; what is wrong there is found and said."""

import base64
import importlib.util
import os
import re
import shutil
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests.paths import LESSONS, ROOT

TOOL = [sys.executable, "-m", "tools.browser"]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

SHOW = """\
from IPython.display import HTML
HTML('''{}''')"""
FIGURE = (
    '<svg width="200" height="40" {}><rect width="200" height="40" fill="#ffffff"/>'
    '<text x="9" y="25" fill="{}">letters</text></svg>'
)
# {what is wrong: (its cell, the line that says so)}; "nothing" stands for a cell that is in order.
FAULTS = {
    "pale words": (
        new_markdown_cell('<p style="color: #999; background: #fff">pale</p>'),
        r"light theme, {}: color-contrast \(serious\): .* contrast of 2\.8",
    ),
    "words in an answer that is closed": (
        new_markdown_cell(
            "<details><summary>Hint</summary>\n\n"
            '<p style="color: #777; background: #888">pale</p>\n\n</details>'
        ),
        r"dark theme, {}: color-contrast \(serious\)",
    ),
    "words of one theme": (
        new_markdown_cell('<p style="color: #222">dark</p>'),
        r"dark theme, {}: color-contrast \(serious\)",
    ),
    "pale letters in a figure": (
        new_code_cell(SHOW.format(FIGURE.format('role="img" aria-label="a word"', "#999999"))),
        r"light theme, {}: contrast 2\.8 of 'letters' in a figure",
    ),
    "a figure without words": (
        new_code_cell(SHOW.format(FIGURE.format("", "#000000"))),
        r"light theme, {}: a figure has no alt text: <svg width",
    ),
    "a button out of reach": (
        new_code_cell(SHOW.format('<button tabindex="-1">Press</button>')),
        r"{}: Tab does not come to 'Press'",
    ),
    "an answer that does not open": (
        new_code_cell(
            SHOW.format(
                '<details onclick="event.preventDefault()"><summary>Shut</summary>x</details>'
            )
        ),
        r"{}: Enter does not open 'Shut'",
    ),
    "a button without words": (
        new_code_cell(SHOW.format('<p style="height: 3000px"></p><button></button>')),
        r"theme, {}: button-name \(critical\)",
    ),
    "a link that only its colour tells": (
        new_code_cell(
            SHOW.format(
                '<p style="color: #222; background: #fff">A <a href="#x" style="color: #444">link'
                "</a> among words.</p>"
            )
        ),
        r"theme, {}: link-in-text-block \(serious\)",
    ),
    "pale words of code": (
        new_code_cell(
            SHOW.format(
                '<pre><b>x</b> <b>y</b> <b style="color: #999; background: #fff">z</b></pre>'
            )
        ),
        r"dark theme, {}: color-contrast \(serious\)",
    ),
    "pale words, far below": (
        new_markdown_cell('<p style="color: #999; background: #fff">pale</p>'),
        r"light theme, {}: color-contrast \(serious\)",
    ),
    "nothing": (
        new_code_cell(
            SHOW.format(
                FIGURE.format('role="img" aria-label="a word"', "#595959")
                + '<button>Press</button><p style="color: #222; background: #fff">dark</p>'
            )
        ),
        None,
    ),
}

# A drawing as they were once: with letters, and hatched by a pattern on the page.
HATCHED = (
    '<svg width="200" height="80" viewBox="0 0 200 80"><defs><pattern id="h" width="6" height="6" '
    'patternUnits="userSpaceOnUse"><path d="M0 6L6 0" stroke="#8a4200"/></pattern></defs>'
    '<rect x="9" y="9" width="99" height="40" fill="url(#h)" stroke="#8a4200"/>'
    '<text x="9" y="70">pselect6</text><text x="99" y="70">accept4</text></svg>'
)
SMALL = base64.b64encode(
    HATCHED.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg" font-size="6"', 1).encode()
)
UNSEEN = {  # what stands in a cell, before it has run too: what is said of it
    HATCHED: [
        r"before anything has run, {}: 0 of 1 figures are shown",
        r"before anything has run, {}: words run together: 'pselect6accept4'",
    ],
    # Which pattern a drawing took, where two had one id, depended on what had been drawn before.
    HATCHED.replace("#h", "#gone"): [r"after Run All, {}: 1 of 1 hatched boxes are empty"],
    f'<img alt="small" src="data:image/svg+xml;base64,{SMALL.decode()}">': [
        r"before anything has run, {}: letters of 6\.0 pixels in a figure"
    ],
}


PARTS = 4  # in which all lessons are looked at, side by side


def started(folder, *arguments, **variables):
    """What the tool says and returns, run in another folder than ours."""
    return subprocess.run(
        [*TOOL, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.fixture
def browser(tmp_path):
    """Run the tool as people do; where CI runs, a machine without Chromium has failed."""
    lacks = None
    if not any(map(shutil.which, BROWSERS)):
        lacks = "there is no Chromium here: apt-get install chromium"
    elif not importlib.util.find_spec("playwright"):
        lacks = "playwright is not installed: make browser"
    if lacks:
        pytest.fail(lacks) if os.environ.get("CI") else pytest.skip(lacks)

    def run(*arguments):
        return started(tmp_path, *arguments)

    return run


def write(path, *cells):
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=list(cells), metadata=metadata), path)
    return path


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_every_lesson_does_what_a_learner_expects(browser, part):
    """Run twice, filled in, looked at in both themes, stepped: see the head of the tool."""
    lessons = LESSONS[part::PARTS]
    done = browser(*lessons)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    said = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert said.keys() == {*map(str, lessons), "stepper.ipynb"}
    assert said.pop("stepper.ipynb").startswith("pressed by mouse and by keyboard")
    for seen in said.values():
        assert seen.startswith("no unannounced error, ")
        painted, figures, stops = map(
            int, re.search(r"(\d+) figures painted, (\d+) .* (\d+) places", seen).groups()
        )
        assert painted == figures > 0, "a lesson has figures, and not all were looked at"
        assert stops >= 10, "a lesson has hints and answers, and they were not looked at"


@pytest.mark.long
def test_every_fault_is_found(browser, tmp_path):
    """A check that cannot fail is none: one notebook has every fault that it should find."""
    cells = [cell for cell, _ in FAULTS.values()]
    unfit = write(tmp_path / "unfit.ipynb", *cells)
    unsolved = write(
        tmp_path / "unsolved.ipynb",
        new_code_cell("answer = ...", metadata={"exercise": {}}),
        new_markdown_cell("Its check:"),
        new_code_cell("print('✓ Right' if answer == 42 else '✗ wrong')"),
        new_markdown_cell("<details><summary>Solution</summary>\n\n```python\nanswer = 41\n```"),
    )
    failing = write(
        tmp_path / "failing.ipynb",
        new_code_cell("[].pop()", metadata={"tags": ["raises-exception"]}),
        new_code_cell("1 / 0"),
    )
    fails_again = write(
        tmp_path / "again.ipynb", new_code_cell("again = 'again' in globals()\nassert not again")
    )
    stored = [
        new_code_cell(
            SHOW.format(markup),
            execution_count=1,
            outputs=[new_output("display_data", {"text/html": markup})],
        )
        for markup in UNSEEN
    ]
    unseen = write(tmp_path / "unseen.ipynb", *stored)
    pictures = tmp_path / "pictures"
    done = browser(unfit, unsolved, failing, fails_again, unseen, "--out", pictures)
    assert done.returncode == 1
    assert done.stdout.startswith("stepper.ipynb: "), "whatever went wrong before"
    said = dict.fromkeys(FAULTS, False)
    for number, (name, (cell, line)) in enumerate(FAULTS.items(), 1):
        place = f"cell {number} (id {cell.id})"
        if line is None:
            said[name] = place not in done.stderr
        else:
            said[name] = bool(re.search(line.format(re.escape(place)), done.stderr))
    for number, (cell, lines) in enumerate(zip(stored, UNSEEN.values(), strict=True), 1):
        place = re.escape(f"cell {number} (id {cell.id})")
        said |= {line: bool(re.search(line.format(place), done.stderr)) for line in lines}
    assert all(said.values()), (said, done.stderr)
    assert f"{unsolved}: cell 3: the solution does not satisfy the check:\n✗ wrong" in done.stderr
    assert re.search(r"Run All:\n  cell 2 \(id \w+\): ZeroDivisionError: ", done.stderr)
    taken = {one.stem for one in pictures.glob("unfit/*.png")}
    assert {"light-01", "light-02", "dark-01", "dark-02"} <= taken, "it is higher than a screen"
    light, dark = (pictures / "unfit" / f"{theme}-01.png" for theme in ("light", "dark"))
    assert light.read_bytes() != dark.read_bytes()
    assert re.search(r"Run All, filled in.*:\n  cell 1 \(id \w+\): AssertionError", done.stderr)


@pytest.mark.long
def test_no_chromium_is_said_in_one_sentence(tmp_path):
    """And nothing is started, nor left behind."""
    done = started(tmp_path, LESSONS[0], PATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "There is no Chromium here: apt-get install chromium\n"
    assert not any(tmp_path.iterdir())


@pytest.mark.long
def test_a_browser_that_does_not_start_is_said_in_one_sentence(tmp_path):
    """As where a container forbids what it needs."""
    (tmp_path / "chromium").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "chromium").chmod(0o755)
    done = started(tmp_path, LESSONS[0], PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{tmp_path / 'chromium'}: ")
    assert done.stderr.count("\n") == 1
