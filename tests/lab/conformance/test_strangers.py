"""Servers that are not ours: the verdict in the docs is what becomes of them."""

import os
import re
import shutil
import signal
import socket

import pytest

from echo.lab import until
from echo.lab.conformance import REQUIREMENTS, title
from echo.lab.run.process import Process
from tests.lab.processes import FLOODS, PYTHON, verdict
from tests.paths import ROOT

pytestmark = pytest.mark.usefixtures("nobody_is_left")


DOCS = ROOT / "docs" / "conformance.md"
STRANGERS = ROOT / "docs" / "strangers"

COMMANDS = {  # column of the table in the docs -> what is run
    "ours": f"{PYTHON} -m echo select {{port}}",
    "streams": f"{PYTHON} {STRANGERS}/asyncio_streams.py {{port}}",
    "protocol": f"{PYTHON} {STRANGERS}/asyncio_protocol.py {{port}}",
    "socketserver": f"{PYTHON} {STRANGERS}/socketserver_threads.py {{port}}",
    "Node": f"node {STRANGERS}/pipe.js {{port}}",
    "Node, errors heard": f"node {STRANGERS}/pipe_and_error.js {{port}}",
    "socat, cat": "socat TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr EXEC:cat",
    "socat, PIPE": "socat TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr PIPE",
}
ALWAYS = {  # the rest in make soak
    *((name, title(one)) for name in ["ours", "streams"] for one in REQUIREMENTS),
    ("protocol", "stops reading from a client that does not read"),
    ("socketserver", "sleeps when descriptors have run out"),
}

BLOCKING_FAILS = {
    "serves_a_second_client_while_the_first_is_silent",
    "serves_two_hundred_clients_in_any_order",
    "serves_a_second_client_while_the_first_does_not_read",
    "needs_little_memory_for_a_client",
    "goes_on_when_descriptors_run_out",
}


def table():
    """{column: {requirement: verdict}}"""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in DOCS.read_text().splitlines()
        if line.startswith("| ") and not line.startswith("| --")
    ]
    rows = [row for row in rows if len(row) == len(rows[0])]
    return {
        column: {row[0]: row[number] for row in rows[1:]}
        for number, column in enumerate(rows[0])
        if number
    }


def marks(name, requirement):
    if (name, title(requirement)) not in ALWAYS:
        return pytest.mark.soak
    depends_on_time = name == "ours" and re.search("sleep|stall|run out", title(requirement))
    return pytest.mark.timing if depends_on_time else ()


CASES = [
    pytest.param(name, one, marks=marks(name, one), id=f"{name}-{title(one)}")
    for name in COMMANDS
    for one in REQUIREMENTS
]


@pytest.mark.long
@pytest.mark.parametrize(("name", "requirement"), CASES)
def test_docs_tell_what_becomes_of_it(name, requirement):
    """Strictly: neither does it fail what is said to be met, nor the other way round."""
    command = COMMANDS[name]
    if shutil.which(program := command.split()[0]) is None:
        pytest.skip(f"there is no {program} here")
    expected = table()[name][title(requirement)]
    assert expected == "varies" or verdict(requirement, command) == expected


def test_docs_tell_of_every_server_and_requirement():
    """A row or a column that is missing would be missed by nobody."""
    found = table()
    assert list(found) == list(COMMANDS)
    for column in found.values():
        assert list(column) == [title(one) for one in REQUIREMENTS]


def test_docs_show_the_code_that_is_run():
    """As the files have it, and they have nothing more; or they are linked."""
    text = DOCS.read_text() + (DOCS.parent / "frameworks.md").read_text()
    for path in [path for path in STRANGERS.iterdir() if path.suffix != ".txt"]:
        linked = f"](strangers/{path.name})" in text
        assert linked or path.read_text().partition("\n")[2].strip() in text


@pytest.mark.soak
@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=title)
@pytest.mark.parametrize("name", ["epoll", "threaded"])
def test_server_of_ours_meets_as_a_process_what_it_meets_in_a_thread(name, requirement):
    """But for the flood, which a process cannot be given."""
    expected = "-" if requirement.__name__ in FLOODS else "yes"
    assert verdict(requirement, f"{PYTHON} -m echo {name} {{port}}") == expected


@pytest.mark.soak
@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=title)
def test_blocking_server_fails_as_a_process_what_it_fails_in_a_thread(requirement):
    """The suite judges the server, not how it is run."""
    never = FLOODS | {"survives_a_descriptor_above_1023"}  # it has two clients at the most
    expected = "-" if requirement.__name__ in never else "yes"
    if requirement.__name__ in BLOCKING_FAILS:
        expected = "no"
    assert verdict(requirement, f"{PYTHON} -m echo blocking {{port}}") == expected


HIDDEN = {  # by buffers of megabytes, if a client sends too little or too much: fault -> caught by
    ("if not self.unsent:", "if not self.unsent or self.eof:"): (
        "finishes_its_answer_to_a_half_closed_client"
    ),
    ("HIGH_WATER = 256 * 1024", "HIGH_WATER = 1 << 40"): (
        "stops_reading_from_a_client_that_does_not_read"
    ),
    ("return WRITE if self.eof or len", "return WRITE if len"): (
        "sleeps_while_a_half_closed_client_does_not_read"
    ),
    ("else READ | WRITE", "else READ"): "loses_nothing_when_the_client_reads_late",
}


@pytest.mark.soak
@pytest.mark.parametrize("fault", HIDDEN, ids=HIDDEN.get)
def test_fault_is_seen_through_large_buffers(tmp_path, fault):
    """In a copy of the select server."""
    shutil.copytree(ROOT / "echo", tmp_path / "echo", ignore=shutil.ignore_patterns("lab"))
    path = tmp_path / "echo" / "connection.py"
    path.write_text(path.read_text().replace(*fault))
    (requirement,) = (one for one in REQUIREMENTS if one.__name__ == HIDDEN[fault])
    command = f"sh -c 'cd {tmp_path} && exec {PYTHON} -m echo select $0' {{port}}"
    assert verdict(requirement, command) == "no"


FORKS = """
    import socketserver, sys

    class Echo(socketserver.BaseRequestHandler):
        def handle(self):
            while data := self.request.recv(65536):
                self.request.sendall(data)

    with socketserver.ForkingTCPServer(("127.0.0.1", int(sys.argv[1])), Echo) as server:
        server.serve_forever()
    """


@pytest.mark.timing
@pytest.mark.parametrize(
    ("name", "expected"),
    [("goes_on_when_descriptors_run_out", "yes"), ("survives_a_descriptor_above_1023", "-")],
)
def test_process_for_each_client_is_judged_fairly(write, name, expected):
    """Its clients' descriptors are not those of the process that accepts."""
    (requirement,) = (one for one in REQUIREMENTS if one.__name__ == name)
    assert verdict(requirement, f"{PYTHON} {write(FORKS)} {{port}}") == expected


def test_polite_one_serves_its_last_client_when_it_is_told_to_end():
    """As lesson 08 tells: no new clients, the last one until it leaves, and then the end."""
    server = Process(f"{PYTHON} {STRANGERS}/asyncio_polite.py {{port}}")
    with socket.create_connection(server.address, 10) as client:
        client.sendall(b"hello")
        assert client.recv(5, socket.MSG_WAITALL) == b"hello"
        os.kill(server.pid, signal.SIGTERM)
        until(lambda: refuses(server.address))
        client.sendall(b"after")
        assert client.recv(5, socket.MSG_WAITALL) == b"after"
    until(lambda: server.ended)
    assert server.crash == "the server has ended, exit code 0"
    assert server.end()


def refuses(address):
    with socket.socket() as client:
        return client.connect_ex(address) != 0
