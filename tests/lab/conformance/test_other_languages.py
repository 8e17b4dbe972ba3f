"""Servers in other languages: docs/conformance.md tells what becomes of each, and keeps to it.

Debian packages whatever it takes to run them; who lacks one is told so.
"""

import re
import shutil
import subprocess

import pytest

from echo.lab.conformance import REQUIREMENTS, title
from tests.lab.conformance.test_strangers import DOCS, STRANGERS
from tests.lab.processes import FLOODS, verdict

pytestmark = pytest.mark.usefixtures("nobody_is_left")

JARS = "/usr/share/java/*"  # libnetty-java
SERVERS = {  # name in the docs -> (file, how it is built, how it is run)
    "Go": ("go.go", "go build -o {out} {file}", "{out} {{port}}"),
    "Rust": ("rust.rs", "rustc -O -o {out} {file}", "{out} {{port}}"),
    "Ruby": ("ruby.rb", "", "ruby {file} {{port}}"),
    "Erlang": ("erlang.escript", "", "escript {file} {{port}}"),
    "Java": ("JavaThreads.java", "javac -d {out} {file}", "java -cp {out} JavaThreads {{port}}"),
    "Netty": (
        "Netty.java",
        f"javac -cp {JARS} -d {{out}} {{file}}",
        f"java -cp {{out}}:{JARS} Netty {{{{port}}}}",
    ),
    "libevent": ("libevent.c", "cc -O -o {out} {file} -levent", "{out} {{port}}"),
    "libuv": ("libuv.c", "cc -O -o {out} {file} -luv", "{out} {{port}}"),
    "Perl": ("perl.pl", "", "perl {file} {{port}}"),
    "PHP": ("php.php", "", "php {file} {{port}}"),
    "Tcl": ("tcl.tcl", "", "tclsh {file} {{port}}"),
    "OCaml": ("ocaml.ml", "", "ocaml unix.cma {file} {{port}}"),
    "inetd": ("inetd.sh", "", "sh {file} {{port}}"),
    "ncat": ("", "", "ncat -l -k 127.0.0.1 {{port}} -e /bin/cat"),
    "busybox": ("", "", "busybox nc -ll -p {{port}} -e cat"),
}
NEEDS = {"inetd": "inetd"}  # what a script of ours starts


def told():
    """{server: {requirement: verdict}}, as the docs have it; "varies" where runs differ."""
    found = {}
    for name, fails, varies, not_asked in re.findall(
        r"^\| \[?([\w ]+?)(?:\]\(\S+\))? \|([^|]*)\|([^|]*)\|([^|]*)\|$",
        DOCS.read_text().partition("### In other languages")[2],
        re.MULTILINE,
    ):
        verdicts = {title(one): "yes" for one in REQUIREMENTS}
        verdicts |= {one.replace("_", " "): "-" for one in FLOODS}
        for cell, said in ((fails, "no"), (varies, "varies"), (not_asked, "-")):
            verdicts |= {one.strip(): said for one in cell.split(";") if one.strip()}
        found[name] = verdicts
    found.pop("server", None)
    return found


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A function: the command that runs a server, built once."""
    commands = {}

    def command(name):
        file, build, run = SERVERS[name]
        words = {"file": STRANGERS / file, "out": tmp_path_factory.mktemp(name) / name}
        for program in [build.split()[:1], run.split()[:1], [NEEDS.get(name, "sh")]]:
            if program and "{" not in program[0] and shutil.which(program[0]) is None:
                pytest.skip(f"there is no {program[0]} here")
        if name not in commands:
            if build:
                subprocess.run(build.format(**words).split(), check=True)
            commands[name] = run.format(**words)
        return commands[name]

    return command


@pytest.mark.soak
@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=title)
@pytest.mark.parametrize("name", SERVERS)
def test_docs_tell_what_becomes_of_it(built, name, requirement):
    """Neither does it fail what is said to be met, nor the other way round."""
    command = built(name)
    expected = told()[name][title(requirement)]
    assert expected == "varies" or verdict(requirement, command) == expected


def test_docs_tell_of_every_server_and_of_no_other_requirement():
    """A name that no requirement has would excuse nothing."""
    found = told()
    assert list(found) == list(SERVERS)
    names = {title(one) for one in REQUIREMENTS}
    for verdicts in found.values():
        assert set(verdicts) == names


def test_docs_link_to_each_source():
    """And each source there is judged."""
    text = DOCS.read_text()
    for name, (file, _, run) in SERVERS.items():
        assert f"[{name}](strangers/{file})" in text if file else run.format() in text
