"""No file of ours tells on which machine it was made, and none is too long to be read."""

import re
import subprocess
from collections import Counter

import pytest

from tests.paths import ROOT

PLACE = re.compile(r"(?<![\w.])/(root|work|opt|home/\w+|Users/\w+)/\w")
REGISTRY = re.compile(r"\b(pypi|pythonhosted|npmjs|anaconda|deb\.debian)\.(org|com)\b")
IN_NOTEBOOKS = re.compile(r"/tmp/|site-packages")
SHORT = ("echo/", "tests/", "tools/", "benchmarks/")
KEEPS_BLANKS = {"sanitize.cfg"}  # an empty replacement is written as one blank


@pytest.fixture(scope="module")
def texts():
    """{path: text} of all files that git has or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"git cannot list the files: {error}")
    contents = {}
    for name in listed.stdout.split("\0"):
        path = ROOT / name
        if path.is_file() and b"\0" not in (content := path.read_bytes()):
            contents[name] = content.decode()
    return contents


def lines_with(pattern, texts):
    return [
        f"{name}:{number}: {line}"
        for name, text in texts.items()
        for number, line in enumerate(text.split("\n"), 1)
        if re.search(pattern, line)
    ]


def test_no_path_of_a_machine(texts):
    assert not lines_with(PLACE, texts)


def test_no_temporary_path_in_a_lesson(texts):
    lessons = {name: text for name, text in texts.items() if name.endswith(".ipynb")}
    assert not lines_with(IN_NOTEBOOKS, lessons)


def test_no_registry(texts):
    """Where packages come from is for each machine to say."""
    assert not lines_with(REGISTRY, texts)


def test_lines_end_where_they_end(texts):
    others = {name: text for name, text in texts.items() if name not in KEEPS_BLANKS}
    assert not lines_with(r"[ \t\r]$", others)


def test_files_end_with_one_newline(texts):
    assert not [name for name, text in texts.items() if text and not re.search(r"[^\n]\n\Z", text)]


def test_no_file_is_too_long_to_be_read(texts):
    """One of so many lines has more than one subject."""
    code = {name: text for name, text in texts.items() if name.startswith(SHORT)}
    lines = {name: text.count("\n") for name, text in code.items() if name.endswith(".py")}
    assert lines
    assert not {name: count for name, count in lines.items() if count > 500}


def test_names_of_test_files_are_their_own(texts):
    """A failure names its file, and a document may name it without its folder."""
    names = [name.rpartition("/")[2] for name in texts if re.search(r"/test_\w+\.py$", name)]
    assert names
    assert not [name for name, count in Counter(names).items() if count > 1]
