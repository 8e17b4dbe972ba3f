"""Run a few lines of C, where there is a compiler.

    run_c(PROGRAM, recorded="neighbor: 0 -> 1")

Some of what a lesson says is true of C and cannot be shown in Python, which checks its arguments.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

COMPILERS = ("cc", "gcc", "clang")
# Without optimization and without _FORTIFY_SOURCE, which some distributions switch on: glibc's
# macros then do what their source says, and check nothing (feature_test_macros(7)).
OPTIONS = ["-w", "-O0", "-U_FORTIFY_SOURCE"]
SECONDS = 20  # for the compiler, and for the program


def run_c(program: str, recorded: str) -> None:
    """Compile a C program, run it and print what it prints.

    `recorded`: what it printed where the lesson was written.  Without a compiler this is printed
    instead, after a line that begins `recorded:` and says so.

    Raises subprocess.CalledProcessError if the program is not C or does not end well.
    """
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        print(f"recorded: there is no C compiler here ({', '.join(COMPILERS)})")
        print(recorded)
        return
    with tempfile.TemporaryDirectory() as folder:
        source, binary = Path(folder, "program.c"), Path(folder, "program")
        source.write_text(program, encoding="utf-8")
        command = [compiler, *OPTIONS, str(source), "-o", str(binary)]
        subprocess.run(command, check=True, timeout=SECONDS)
        done = subprocess.run(
            [str(binary)], check=True, timeout=SECONDS, stdout=subprocess.PIPE, text=True
        )
    print(done.stdout, end="" if done.stdout.endswith("\n") else "\n")
