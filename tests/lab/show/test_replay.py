"""Where io_uring is refused a lesson shows what was recorded, and says so."""

import ast
import json

import pytest
from IPython.core.interactiveshell import InteractiveShell

from echo.lab.show import replay as replay_module
from echo.lab.show.replay import FOLDER, Replay, key, recording
from tests.paths import LESSONS

REASON = "no io_uring here: a seccomp filter or kernel.io_uring_disabled forbids it"
NEEDS_IT = f"raise OSError(1, {REASON!r})"
FAILS = f"made = 1\nprint('before')\n{NEEDS_IT}\nmade"
USES = "guess = ...\nprint(made, guess)"
CHECKS = f"check = 1\n{NEEDS_IT}"
CELLS = {
    FAILS: [{"printed": "5\n"}, {"text/plain": "[5]"}],
    USES: [{"printed": "5\n"}],
    CHECKS: [{"printed": "Not attempted yet: replace the ...\n"}],
}


@pytest.fixture
def shell(tmp_path, monkeypatch, capsys):
    """A function: run a cell in a shell where io_uring is refused; what it printed."""
    recording = {key(ast.parse(cell)): outputs for cell, outputs in CELLS.items()}
    (tmp_path / "lesson.json").write_text(json.dumps(recording), encoding="utf-8")
    monkeypatch.setattr(replay_module, "FOLDER", tmp_path)
    shell = InteractiveShell()
    shell.ast_transformers.append(Replay("lesson", REASON, shell.user_ns))

    def run(cell):
        result = shell.run_cell(cell)
        return capsys.readouterr().out, result

    return run


def test_cell_that_cannot_run_shows_what_was_recorded(shell):
    """And not what it printed before it failed."""
    out, result = shell(FAILS)
    assert out.startswith(f"recorded: {REASON}\n5\n")
    assert result.success
    assert result.result._repr_mimebundle_() == {"text/plain": "[5]"}


def test_cell_that_needs_what_such_a_cell_makes_as_well(shell):
    """Whatever the guess in it."""
    shell(FAILS)
    out, _ = shell("guess = 7  # mine\nprint(made, guess)")
    assert out == f"recorded: {REASON}\n5\n"


def test_other_cells_run(shell):
    out, result = shell("print('here')\n1 + 1")
    assert out.startswith("here\n")
    assert result.result == 2


def test_other_errors_are_shown(shell):
    _, result = shell("1 / 0")
    assert isinstance(result.error_in_exec, ZeroDivisionError)
    _, result = shell("nowhere")
    assert isinstance(result.error_in_exec, NameError)


def test_changed_cell_has_no_recording_and_says_so(shell):
    out, _ = shell(f"print('mine')\n{NEEDS_IT}")
    assert out.startswith(f"recorded: {REASON}\nOf this cell nothing was recorded")


def test_answer_is_not_taken_for_one_that_was_not_attempted(shell):
    """The check of an exercise reads the same, attempted or not."""
    out, _ = shell(CHECKS)
    assert "Not attempted" not in out


@pytest.mark.parametrize(
    "path", [path for path in LESSONS if "replay(" in path.read_text()], ids=lambda path: path.stem
)
def test_recording_is_what_the_lesson_stores(path):
    """python -m echo.lab.show.replay writes it; `make lessons` calls that."""
    text = (FOLDER / f"{path.stem}.json").read_text(encoding="utf-8")
    assert json.loads(text) == recording(path)
