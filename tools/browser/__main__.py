"""Open lessons in a real JupyterLab in a real browser: do what a learner does, and look.

    python -m tools.browser notebooks/*.ipynb --out pictures
    python -m tools.browser notebooks/03_select.ipynb --twice 'start\\(' --width 800

Each lesson is opened as it lies there, in a JupyterLab that nobody has set up and that does not
trust it: every figure must be painted, before anything has run and after Run All.  Then it is
looked at in the light and in the dark theme: axe-core judges what the lesson adds to JupyterLab,
and Tab must come to all that can be pressed.  Then a
prediction and an exercise are filled in, and everything is run again in the same kernel.  With
--out every screen is photographed: OUT/<lesson>/<theme>-<number>.png.  Last, the stepper's
buttons are pressed, by mouse and by keyboard.  Three notebooks are open at a time, each in a
browser of its own, for they wait more than they compute; `--jobs` says how many.

What runs is a copy: JupyterLab saves what it opens.  Exit code: 0 when all is well; 1 when a
cell raised an error that no tag announces, or did not end, or something is wrong with the page;
2 when the browser or playwright is missing.  No browser is downloaded: it is the system's.
"""

import argparse
import contextlib
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

try:
    from playwright.sync_api import Error as BrowserError
    from playwright.sync_api import FloatRect, Locator, Page

    from tools.browser import accessibility, figures, learner
    from tools.browser.lab import (
        THEMES,
        Lab,
        LessonError,
        chromium,
        lesson,
        opened,
        render_all_cells,
        restart_and_run_all,
        run_all,
        run_cells_twice,
        running_browser,
        running_lab,
        set_theme,
        theme_of,
        unannounced_errors,
    )
except ImportError as error:
    print(f"python -m tools.browser needs the package {error.name}: make browser", file=sys.stderr)
    sys.exit(2)

OVERLAP = 40  # pixels of a screen that are seen again on the next one
# The first frame may have been begun before; when the second one comes, the first has been drawn.
DRAWN = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"

Tasks = dict[str, Callable[[Page], str]]  # what to do in a notebook, by its path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and look at the lessons named on the command line; the exit code."""
    options = parser().parse_args(arguments)
    program = chromium()
    if program is None:
        print("There is no Chromium here: apt-get install chromium", file=sys.stderr)
        return 2
    missing = [str(path) for path in options.notebooks if not path.is_file()]
    if missing:
        print(f"no such file: {' '.join(missing)}", file=sys.stderr)
        return 2

    with contextlib.ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lessons-")))
        for path in options.notebooks:
            shutil.copy(path, root)
        learner.write_stepper(root)
        tasks: Tasks = {
            str(path): partial(look_at_lesson, path, options) for path in options.notebooks
        }
        tasks[learner.STEPPER] = partial(look_at_stepper, options)
        try:
            lab = stack.enter_context(running_lab(root))
            return int(not all_well(program, lab, tasks, options))
        except (LessonError, BrowserError) as error:
            print(f"{program}: {str(error).splitlines()[0]}", file=sys.stderr)
            return 2


def parser() -> argparse.ArgumentParser:
    """What the command line may say."""
    parser = argparse.ArgumentParser("python -m tools.browser", description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="notebook")
    parser.add_argument("--out", type=Path, help="folder for pictures of every screen")
    parser.add_argument("--width", type=int, default=1280, help="of the window, in pixels")
    parser.add_argument("--height", type=int, default=900, help="of the window, in pixels")
    parser.add_argument(
        "--jobs",
        type=int,
        choices=range(1, 9),
        default=3,
        help="how many notebooks are open at a time",
        metavar="N",
    )
    parser.add_argument(
        "--restart", action="store_true", help="then restart the kernel, and run all again"
    )
    twice = parser.add_mutually_exclusive_group()
    twice.add_argument(
        "--twice", metavar="REGEX", help="then run cells with such text twice in a row: 'start\\('"
    )
    twice.add_argument(
        "--each-cell-twice",
        dest="twice",
        action="store_const",
        const="",
        help="the same with every cell",
    )
    return parser


def all_well(program: str, lab: Lab, tasks: Tasks, options: argparse.Namespace) -> bool:
    """Do all tasks, some at a time.  Raises BrowserError where no browser can be started."""
    waiting = iter(list(tasks.items()))  # each thread takes the next
    with ThreadPoolExecutor(options.jobs) as pool:
        workers = [
            pool.submit(work, program, lab, waiting, options)
            for _ in range(min(options.jobs, len(tasks)))
        ]
        try:
            return all(worker.result() for worker in workers)
        finally:
            for _ in waiting:  # after an interrupt: nobody begins another
                pass


def work(
    program: str,
    lab: Lab,
    waiting: Iterator[tuple[str, Callable[[Page], str]]],
    options: argparse.Namespace,
) -> bool:
    """Do tasks until none is left, in a browser of our own, and say how each of them went.

    They share a window, in which JupyterLab has to start only once; what failed leaves it.
    """
    well = True
    with running_browser(program) as browser, contextlib.ExitStack() as window:
        page = None
        for path, task in waiting:
            began = time.monotonic()
            try:
                page = page or window.enter_context(
                    opened(browser, lab, options.width, options.height)
                )
                with lesson(page, Path(path).name):
                    said = task(page)
            except (LessonError, BrowserError) as error:
                print(f"{path}: {error}", file=sys.stderr, flush=True)
                well, page = False, None
                window.close()
            else:
                print(f"{path}: {said}, {time.monotonic() - began:.0f} s", flush=True)
    return well


def look_at_lesson(path: Path, options: argparse.Namespace, page: Page) -> str:
    """Look at it, run it, look at it, fill it in, run it again; what was seen.

    Raises LessonError.
    """
    painted, unseen = see_figures(page, "before anything has run")
    run(page, "Run All", run_all)
    unseen += see_figures(page, "after Run All")[1]
    render_all_cells(page)
    pictures = photograph(page, options.out / path.stem) if options.out else 0
    seen = look(page, unseen)
    learner.fill_in(page, path)
    run(page, "Run All, filled in and in the same kernel", run_all)
    learner.expect_answers(page, path)
    if options.restart:
        run(page, "Restart and Run All", restart_and_run_all)
    if options.twice is not None:
        run(page, "cells twice", partial(run_cells_twice, regex=options.twice))
    return f"no unannounced error, {painted} figures painted, {seen}, {pictures} pictures"


def see_figures(page: Page, moment: str) -> tuple[int, list[str]]:
    """Look at the pixels of each figure; how many there are, and what is wrong."""
    number, wrong = figures.look(page)
    return number, [f"{moment}, {fault}" for fault in wrong]


def run(page: Page, name: str, way: Callable[[Page], None]) -> None:
    """Run a lesson.  Raises LessonError where an error comes that no tag announces."""
    way(page)
    if errors := unannounced_errors(page):
        raise LessonError("\n  ".join([f"{name}:", *errors]))


def look(page: Page, unseen: Sequence[str] = ()) -> str:
    """Let Tab and axe-core go over the page, in both themes; what they met.

    Raises LessonError with all that is wrong, and with what was not seen before.
    """
    stops, wrong = accessibility.keyboard(page)  # opens what can be opened, for axe-core to see
    for number, theme in enumerate(both_themes(page)):
        figures, found = accessibility.judge(page, only_colours=number > 0)
        wrong += [f"{theme} theme, {fault}" for fault in found]
    if wrong := [*unseen, *wrong]:
        raise LessonError("\n  ".join(["not accessible to all:", *wrong]))
    return f"{figures} figures with alt text, {stops} places that Tab comes to"


def look_at_stepper(options: argparse.Namespace, page: Page) -> str:
    """Press its buttons, photograph it, look at it; what was seen.  Raises LessonError."""
    run(page, "Run All", run_all)
    render_all_cells(page)
    learner.by_mouse(page)
    learner.by_keyboard(page)
    if options.out:
        for theme in both_themes(page):
            page.screenshot(path=options.out / f"stepper-{theme}.png")
    return f"pressed by mouse and by keyboard, {look(page)}"


def both_themes(page: Page) -> Iterator[str]:
    """The page in one theme, then in the other; it begins with the one that it wears."""
    for theme in sorted(THEMES, key=lambda theme: theme != theme_of(page)):
        set_theme(page, theme)
        yield theme


def photograph(page: Page, out: Path) -> int:
    """Every screen of the notebook in both themes; the number of pictures."""
    out.mkdir(parents=True, exist_ok=True)
    for theme in THEMES:  # the last time there may have been more
        for old in out.glob(f"{theme}-[0-9]*.png"):
            old.unlink()
    number = 0
    for theme in both_themes(page):
        for number, _ in enumerate(screens(page), 1):
            page.screenshot(path=out / f"{theme}-{number:02}.png")
    return number * len(THEMES)


def screens(page: Page) -> Iterator[int]:
    """Scroll from the first cell to the last, a screen at a time; the pixels scrolled so far."""
    scroller = page.locator(".jp-NotebookPanel .jp-WindowedPanel-outer")
    last_cell = page.locator(".jp-NotebookPanel .jp-Cell").last
    top = 0
    while True:
        scroller.evaluate("(one, top) => { one.scrollTop = top; }", top)
        page.evaluate(DRAWN)
        yield top
        window, cell = box(scroller), box(last_cell)
        if cell["y"] + cell["height"] <= window["y"] + window["height"]:
            return
        top += int(window["height"]) - OVERLAP


def box(element: Locator) -> FloatRect:
    """Where it is on the page, in pixels.  Raises LessonError where it is not shown."""
    found = element.bounding_box()
    if found is None:
        raise LessonError("a part of the notebook is not shown")
    return found


if __name__ == "__main__":
    sys.exit(main())
