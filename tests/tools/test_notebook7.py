"""In Notebook 7, which many still call Jupyter, a lesson is as good to look at and to run."""

import os
import shutil

import pytest

from tests.paths import LESSONS

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from tools.browser import figures, lab

LESSON = LESSONS[0]


@pytest.mark.long
def test_a_lesson_is_seen_and_runs(tmp_path):
    program = lab.chromium()
    if program is None:
        lacks = "no chromium here: apt-get install chromium"
        pytest.fail(lacks) if "CI" in os.environ else pytest.skip(lacks)
    shutil.copy(LESSON, tmp_path)
    with (
        lab.running_lab(tmp_path) as server,
        lab.running_browser(program) as browser,
        lab.opened(browser, server, at=f"notebooks/{LESSON.name}") as page,
    ):
        page.wait_for_function(f"() => {lab.READY} === 'idle'")
        assert page.evaluate("() => window.jupyterapp.name") == "Jupyter Notebook"
        number, wrong = figures.look(page)
        assert number > 0
        assert wrong == []
        lab.run_all(page)
        assert lab.unannounced_errors(page) == []
        assert figures.look(page) == (number, [])
