"""Servers that are not ours: the command line that judges them, and the verdict in the docs."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from echo.lab import judge, process
from echo.lab.conformance import REQUIREMENTS, Failed, put, title
from echo.lab.process import NotAsked, Process, Unusable
from tests.paths import ROOT

DOCS = ROOT / "docs" / "conformance.md"
STRANGERS = ROOT / "docs" / "strangers"
PYTHON = sys.executable
PATIENCE = 30  # seconds: what has not happened by then will not
ALL_MET = "3 of 3 requirements met."
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
FLOODS = {"serves_a_quiet_client_beside_a_flood", "answers_a_client_that_goes_on_sending"}
BLOCKING_FAILS = {
    "serves_a_second_client_while_the_first_is_silent",
    "serves_two_hundred_clients_in_any_order",
    "serves_a_second_client_while_the_first_does_not_read",
    "goes_on_when_descriptors_run_out",
    "survives_a_descriptor_above_1023",
}


def verdict(requirement, command):
    """As the table in the docs writes it."""
    try:
        put(requirement, Process(command, requirement.buffer))
    except Failed:
        return "no"
    except NotAsked:
        return "-"
    return "yes"


# The verdicts in the docs.


def table():
    """{column: {requirement: verdict}}"""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in DOCS.read_text().splitlines()
        if line.startswith("| ") and not line.startswith("| --")
    ]
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
    """As the files have it, and they have nothing more."""
    text = DOCS.read_text()
    for path in STRANGERS.iterdir():
        assert path.read_text().partition("\n")[2].strip() in text


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
    expected = "-" if requirement.__name__ in FLOODS else "yes"
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


# The command line.


def run(*words, **options):
    return subprocess.run(
        [PYTHON, "-m", "echo.lab.conformance", *map(str, words)],
        cwd=options.pop("cwd", ROOT),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        **options,
    )


@pytest.fixture
def write(tmp_path):
    """A function: a file with that source."""

    def write(source, name="server.py"):
        path = tmp_path / name
        path.write_text(textwrap.dedent(source))
        return path

    return write


@pytest.fixture(autouse=True)
def nobody_is_left(tmp_path):
    """No process whose command line names a file of this test outlives it."""
    yield
    assert left(tmp_path) == []


def left(path):
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if os.fsencode(path) in words:
                found.append(words)
    return found


GOOD = """
    def serve(listener):
        while True:
            sock, _ = listener.accept()
            with sock:
                while data := sock.recv(65536):
                    sock.sendall(data)
    """
SHOUTS = GOOD.replace("sendall(data)", "sendall(data.upper())")
AS_A_PROGRAM = """
    import socket, sys
    serve(socket.create_server(("127.0.0.1", int(sys.argv[1]))))
    """


def program(serve):
    return textwrap.dedent(serve) + textwrap.dedent(AS_A_PROGRAM)


@pytest.mark.parametrize("form", ["file", "command"])
def test_every_requirement_is_reported(write, form):
    """And the exit code says whether all were met."""
    path = write(GOOD if form == "file" else program(GOOD))
    words = [path] if form == "file" else ["--command", f"{PYTHON} {path} {{port}}"]
    done = run(*words, "--until", "serves_one_client_after_another")
    lines = ["pass  " + title(one) for one in REQUIREMENTS[:3]]
    assert done.stdout.splitlines() == [*lines, "", ALL_MET]
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("form", ["file", "command"])
def test_failure_is_told_and_is_not_the_end(write, form):
    """Unlike check(): a stranger's server is not mended one lesson at a time."""
    path = write(SHOUTS if form == "file" else program(SHOUTS))
    words = [path] if form == "file" else ["--command", f"{PYTHON} {path} {{port}}"]
    done = run(*words, "--until", "serves one client after another")
    assert done.stdout.startswith(
        "FAIL  sends back what it receives\n"
        "      An echo of every byte, and not only of the first message.\n\n"
        "      client 1 connects\n"
        "      client 1 sends     b'hello'\n"
        "      client 1 expects   b'hello'\n"
        "      client 1 receives  b'HELLO'\n"
        f"      the server is asleep in recvfrom{', waiting for client 1' * (form == 'file')}\n"
        "FAIL  closes when the client has finished\n"
    )
    assert done.stdout.endswith("\n0 of 3 requirements met.\n")
    assert (done.returncode, done.stderr) == (1, "")


def test_file_may_import_its_neighbours(write):
    """As it may when it is run."""
    write(GOOD, "neighbour.py")
    path = write("from neighbour import serve")
    done = run(path, "--until", "sends back what it receives", cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")


def test_crash_of_a_process_is_told_with_its_last_words(write):
    """The conversation alone would not say what is to be mended."""
    path = write(program(GOOD.replace("sendall(data)", "sendall(dat)")))
    command = f"{PYTHON} {path} {{port}}"
    done = run("--command", command, "--until", "sends back what it receives")
    ended = "the server has ended, exit code 1: NameError: name 'dat' is not defined"
    assert ended in done.stdout
    assert done.returncode == 1


def test_what_is_not_asked_is_not_counted(capsys):
    """But told, with the reason."""
    asked = [REQUIREMENTS[0], *(one for one in REQUIREMENTS if one.__name__ in FLOODS)]
    code = judge.verdict(asked, judge.judge_of_command(f"{PYTHON} -m echo select {{port}}"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "----  serves a quiet client beside a flood"
    assert lines[2].startswith("      not asked: a client's flood has gaps")
    assert lines[-1] == "1 of 1 requirements met, 2 not asked."
    assert code == 0


SAYS = "python -m echo.lab.conformance: "
FILES = {
    "x = 1": "server.py has no function serve(listener)",
    "serve = 1": "serve in server.py is not a plain function serve(listener)",
    "async def serve(listener): pass": (
        "serve in server.py is not a plain function serve(listener)"
    ),
    "def serve(): pass": (
        "serve() in server.py is not serve(listener): too many positional arguments"
    ),
    "def serve(listener):\n    ...": ("not attempted yet: replace the ... in serve() of server.py"),
    "def serve(:": "server.py cannot be imported: SyntaxError: invalid syntax (line 1)",
    "\nraise ValueError('no')": "server.py cannot be imported: ValueError: no (line 2)",
    "import sys\nsys.exit(3)": "server.py cannot be imported: SystemExit: 3 (line 2)",
}


@pytest.mark.parametrize("source", FILES)
def test_file_that_cannot_be_judged_is_told_so(write, monkeypatch, source):
    """What is wrong with it, and not how we found out."""
    path = write(source)
    monkeypatch.chdir(path.parent)
    monkeypatch.syspath_prepend(path.parent)  # and taken out again
    with pytest.raises(Unusable) as told:
        judge.judge_of_file(path.name)
    assert str(told.value) == FILES[source]


NO_PORT = "the command has no {port} in it: where is it told its port?"
FIRST = "the command ended before it listened on port N"
UNUSABLE = {
    "sleep 100": NO_PORT,
    "": NO_PORT,
    "sh -c '{port}": "the command cannot be read: no closing quotation",
    f"{ROOT}/no-such {{port}}": f"cannot run {ROOT}/no-such: No such file or directory",
    f"{ROOT}/echo/lab {{port}}": f"cannot run {ROOT}/echo/lab: Permission denied",
    "true {port}": f"{FIRST}, exit code 0; it must stay in the foreground",
    "sh -c 'echo Oh no; exit 3' {port}": f"{FIRST}, exit code 3: Oh no",
    "sh -c 'kill -9 $$' {port}": f"{FIRST}, by SIGKILL",
}


@pytest.mark.parametrize("command", UNUSABLE)
def test_command_that_cannot_be_judged_is_told_so(command):
    """With its own last words, if it had any."""
    with pytest.raises(Unusable) as told:
        judge.judge_of_command(command)
    assert re.sub(r"port \d+", "port N", str(told.value)) == UNUSABLE[command]


ONE_OF_THEM = "give it either a file or a command; try python -m echo.lab.conformance --help"
LINES = {
    (): ONE_OF_THEM,
    ("server.py", "--command", "true {port}"): ONE_OF_THEM,
    ("nowhere.py",): "there is no file nowhere.py",
    ("LICENSE",): "LICENSE is no Python file: its name does not end in .py",
    ("nowhere.py", "--until", "flies"): (
        "'flies' is no requirement; python -m echo.lab.conformance --help lists them"
    ),
    ("--command", "sleep 100"): NO_PORT,
}


@pytest.mark.parametrize("words", LINES, ids=" ".join)
def test_wrong_usage_is_answered_by_one_line(words):
    """Which tells what to do, or what was wrong."""
    done = run(*words)
    assert done.stderr == f"{SAYS}{LINES[words]}\n"
    assert (done.returncode, done.stdout) == (2, "")


def test_help_lists_every_requirement():
    """--until takes any of them."""
    done = run("--help")
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert lines[-len(REQUIREMENTS) :] == [title(one) for one in REQUIREMENTS]
    assert (done.returncode, done.stderr) == (0, "")


# Nothing goes on for ever.


def test_file_that_serves_when_it_is_imported_is_told_so(write, monkeypatch):
    """It would never come back."""
    monkeypatch.setattr(judge, "IMPORT", 1)
    path = write("import time\ntime.sleep(100)")
    with pytest.raises(Unusable, match="still runs 1 seconds after it was imported"):
        judge.serve_of(path)


ELSEWHERE = """
    import socket, sys, time
    listener = socket.create_server(("127.0.0.2", int(sys.argv[1])))
    time.sleep(100)
    """


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import time; time.sleep(100)", "of 127.0.0.1, 0.5 seconds after its start"),
        (ELSEWHERE, "of 127.0.0.1 but on another address, 0.5 seconds after its start"),
    ],
    ids=["nowhere", "elsewhere"],
)
def test_command_that_never_listens_is_told_so(write, monkeypatch, source, says):
    """And that it does elsewhere."""
    monkeypatch.setattr(process, "LISTENS", 0.5)
    with pytest.raises(Unusable, match=rf"does not listen on port \d+ {re.escape(says)}"):
        Process(f"{PYTHON} {write(source)} {{port}}")


def test_port_that_somebody_else_takes_is_no_fault_of_the_server(write, monkeypatch):
    """We have looked for a free one, but not kept it."""
    path = write(program(GOOD))
    with socket.create_server(("127.0.0.1", 0)) as other:
        ports = [other.getsockname()[1], process.free_port()]
        monkeypatch.setattr(process, "free_port", lambda: ports.pop(0))
        server = Process(f"{PYTHON} {path} {{port}}")
    assert ports == []
    assert server.crash is None
    os.kill(server.pid, signal.SIGKILL)
    server._wait(lambda: server.ended)
    assert server.crash == "the server has ended, by SIGKILL"
    assert server.end()


FAMILY = """
    import os, signal, socket, sys, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    for _ in range(3):
        os.fork()
    time.sleep(1000)
    """
DAEMON = """
    import os, socket, sys, time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
            time.sleep(1000)
    """


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("source", [program(GOOD), FAMILY], ids=["good", "family"])
def test_interrupt_ends_it_and_all_that_it_has_started(write, source, number, tmp_path):
    """Also those who do not listen to SIGTERM."""
    path = write(source)
    command = [PYTHON, "-m", "echo.lab.conformance", "--command", f"{PYTHON} {path} {{port}}"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as judged:
        if source is not FAMILY:
            judged.stdout.readline()
        while len(left(tmp_path)) < 2:  # beside the suite, a server
            time.sleep(0.01)
        began = time.monotonic()
        judged.send_signal(number)
        _, said = judged.communicate(timeout=PATIENCE)
        assert time.monotonic() - began < 5
    assert said == f"{SAYS}interrupted\n"
    assert judged.returncode == 130


def test_daemon_does_not_get_away(write):
    """It has left the session; nobody else knows that it is ours."""
    done = run("--command", f"{PYTHON} {write(DAEMON)} {{port}}")
    assert "it must stay in the foreground" in done.stderr
    assert done.returncode == 2


def test_family_is_ended_as_a_whole(write):
    """By a signal that nobody can ignore."""
    server = Process(f"{PYTHON} {write(FAMILY)} {{port}}")
    while len(server.members()) < 8:
        time.sleep(0.001)
    assert server.end()
    assert server.members() == []


# A process, as the suite sees it.


@pytest.fixture
def server():
    server = Process(f"{PYTHON} -m echo select {{port}}")
    yield server
    server.end()


def test_process_is_seen_to_sleep(server):
    """In which call, and that it costs nothing."""
    server.settle()
    before = server.cpu()
    assert server.where_is() == "asleep in pselect6"
    assert 0 < server.cpu() == before


def test_process_that_computes_is_seen_to(write):
    """It never settles, and its time goes by."""
    spins = program("def serve(listener):\n    while True:\n        pass\n")
    server = Process(f"{PYTHON} {write(spins)} {{port}}")
    try:
        before = server.cpu()
        with pytest.raises(TimeoutError):
            server.settle(0.3)
        assert server.cpu() > before
        assert server.where_is() == "running"
    finally:
        server.end()


def test_process_that_is_held_does_nothing(server):
    """What clients do meanwhile has happened when it looks."""
    with socket.create_connection(server.address, timeout=PATIENCE) as client:
        with server.hold():
            client.send(b"hello")
            client.settimeout(0.05)
            with pytest.raises(TimeoutError):
                client.recv(100)
        client.settimeout(PATIENCE)
        assert client.recv(100) == b"hello"


def test_end_of_a_process_is_seen(server):
    """Who ended it, if it was not we."""
    os.kill(server.pid, signal.SIGKILL)
    while not server.ended:
        time.sleep(0.001)
    assert server.crash == "the server has ended, by SIGKILL"
    assert server.where_is() == "ended"


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
