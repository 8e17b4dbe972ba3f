"""C programs are compiled and run; without a compiler the lesson shows what was recorded."""

import shutil
import subprocess

import pytest

from echo.lab import ccode, run_c

HELLO = '#include <stdio.h>\nint main(void) { printf("hello"); return 0; }\n'


@pytest.fixture
def compiler():
    """On a machine without one there is nothing to compile with; the lesson's CI has one."""
    if not any(map(shutil.which, ccode.COMPILERS)):
        pytest.skip("no C compiler here")


@pytest.mark.usefixtures("compiler")
def test_prints_what_the_program_prints(capsys):
    """And not what was recorded."""
    run_c(HELLO, recorded="something else")
    assert capsys.readouterr().out == "hello\n"


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("program", ["int main(void) { return 3; }", "no C at all"])
def test_program_that_fails_is_an_error(program, capfd):
    with pytest.raises(subprocess.CalledProcessError):
        run_c(program, recorded="")


def test_without_a_compiler_what_was_recorded_is_shown(monkeypatch, capsys):
    """With a line that says so, which the comparison of stored outputs leaves out."""
    monkeypatch.setenv("PATH", "")
    run_c(HELLO, recorded="hello")
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("recorded: there is no C compiler here")
    assert rest == ["hello"]
