"""What an animal is: one of our servers with a change, and the requirement that catches it."""

from typing import NamedTuple

from echo.lab.zoo.changes import Change


class Animal(NamedTuple):
    """`server` with some changes; `caught_by` names the requirement that it fails, if any.

    `fault`: pieces of its text, each found once; the last line of each is to blame.
    """

    server: str
    about: str
    changes: tuple[Change, ...]
    caught_by: str | None = None
    fault: tuple[str, ...] = ()


TRY_FIRST = "if conn.unsent:  # most of the time there is room: try before you ask"
IMPORT_READ = "from echo.connection import READ\n"
IMPORT_BOTH = "from echo.connection import READ, WRITE\n"
