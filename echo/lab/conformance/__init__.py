"""What every echo server must do: the suite that judges ours, yours and anybody's.

May import run, kernel, words, display.

    check(serve)              # in a notebook: from easy to hard, up to the first failure
    examine(serve, one)       # for pytest: one requirement, raises Failed
    python -m echo.lab.conformance --help    # in a terminal: a file, or any command
"""

from echo.lab.conformance import requirements
from echo.lab.conformance.catalog import REQUIREMENTS, title, up_to
from echo.lab.conformance.subject import Failed
from echo.lab.conformance.verdict import check, examine, failing, is_stub, put, report

__all__ = [
    "REQUIREMENTS",
    "Failed",
    "check",
    "examine",
    "failing",
    "is_stub",
    "put",
    "report",
    "requirements",
    "title",
    "up_to",
]
