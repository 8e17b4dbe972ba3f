"""python -m echo.lab.conformance judges a file or a command, and says what it cannot judge."""

import os
import re
import resource
import signal
import subprocess
import time

import pytest

from echo.lab.conformance import REQUIREMENTS, __main__, title
from echo.lab.run.process import Unusable
from tests.lab.processes import FAMILY, FLOODS, GOOD, PATIENCE, PYTHON, left, program, run
from tests.paths import ROOT

pytestmark = pytest.mark.usefixtures("nobody_is_left")


ALL_MET = "3 of 3 requirements met."

SHOUTS = GOOD.replace("sendall(data)", "sendall(data.upper())")


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
        "      The server must echo every message, not only the first.\n\n"
        "      client 1 connects\n"
        "      client 1 sends     b'hello'\n"
        "      client 1 expects   b'hello'\n"
        "      client 1 receives  b'HELLO'\n"
        f"      the server is asleep in recvfrom{', waiting for client 1' * (form == 'file')}\n"
        "FAIL  closes when the client has finished\n"
    )
    assert done.stdout.endswith("\n0 of 3 requirements met.\n")
    assert (done.returncode, done.stderr) == (1, "")


GREETS = GOOD.replace("with sock:", "with sock:\n                sock.sendall(b'hi')")
LINES = """
    def serve(listener):
        while True:
            sock, _ = listener.accept()
            with sock, sock.makefile("rwb") as file:
                for line in file:
                    file.write(line)
                    file.flush()
    """


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        (GREETS, "it speaks first: b'hi', and an echo says only what it has heard"),
        (LINES, "it waits for the end of a line, and an echo gives back what has come"),
    ],
    ids=["greets", "lines"],
)
def test_one_cause_is_told_once(write, source, cause):
    """Or twenty-five failures would have to be read to find it."""
    done = run(write(source))
    lines = done.stdout.splitlines()
    left = len(REQUIREMENTS) - 1
    assert lines[-3] == f"      {cause}"
    assert lines[-1] == f"The other {left} are not asked: they would all fail for the same reason."
    assert [line[:4] for line in lines if line[:4] in ("pass", "FAIL", "----")] == ["FAIL"]
    assert (done.returncode, done.stderr) == (1, "")


def test_what_a_living_server_complains_of_is_told(write):
    """Where it sleeps says nothing about the thread that has ended."""
    command = f"{PYTHON} {write(THREADS_THAT_FAIL)} {{port}}"
    done = run("--command", command, "--until", "sends back what it receives")
    assert "      it has said on stderr: NameError: name 'dat' is not defined" in done.stdout
    assert done.returncode == 1


THREADS_THAT_FAIL = """
    import socket, sys, threading
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    print("an older line", flush=True)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=lambda sock=sock: sock.sendall(dat)).start()
    """


def test_what_takes_long_says_that_it_goes_on(capsys, monkeypatch):
    """A silence of a minute looks like the end."""
    monkeypatch.setattr(__main__, "GOES_ON", 0.1)
    with __main__.progress(REQUIREMENTS[0]):
        time.sleep(0.25)
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "...   sends back what it receives: 0.1 seconds so far"


def test_name_that_is_nearly_right_is_named(capsys):
    """The list of all of them is long."""
    done = run("nowhere.py", "--until", "sends back what it recieves")
    assert "do you mean 'sends back what it receives'? " in done.stderr
    assert done.returncode == 2


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


DIES = """
    import os, resource, signal, socket, sys

    sock, _ = socket.create_server(("127.0.0.1", int(sys.argv[1]))).accept()
    while sock.recv(1000) == b"hello":
        core = resource.getrlimit(resource.RLIMIT_CORE)
        print("core", *core, "Erlang", os.environ["ERL_CRASH_DUMP"], file=sys.stderr, flush=True)
        {dies}
    """


@pytest.mark.parametrize(
    ("dies", "name"),
    [("os.abort()", "SIGABRT"), ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV")],
    ids=["aborts", "fault"],
)
def test_command_that_dies_leaves_no_dump(write, tmp_path, dies, name):
    """The folder is the caller's, and his shell may allow dumps of any size."""
    command = f"{PYTHON} {write(DIES.format(dies=dies))} {{port}}"
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    (tmp_path / "here").mkdir()
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    try:
        words = "--command", command, "--until", "sends back what it receives"
        found = os.environ | {"PYTHONPATH": str(ROOT)}
        done = run(*words, cwd=tmp_path / "here", env=found)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
    assert f"the server has ended, by {name}: core 0 0 Erlang {os.devnull}\n" in done.stdout
    assert (done.returncode, done.stderr) == (1, "")
    assert list((tmp_path / "here").iterdir()) == []


def test_what_is_not_asked_is_not_counted(capsys):
    """But told, with the reason."""
    asked = [REQUIREMENTS[0], *(one for one in REQUIREMENTS if one.__name__ in FLOODS)]
    code = __main__.print_verdict(
        asked, __main__.judge_of_command(f"{PYTHON} -m echo select {{port}}")
    )
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
        __main__.judge_of_file(path.name)
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
        __main__.judge_of_command(command)
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
    monkeypatch.setattr(__main__, "IMPORT", 1)
    path = write("import time\ntime.sleep(100)")
    with pytest.raises(Unusable, match="still runs 1 seconds after it was imported"):
        __main__.serve_of(path)


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
