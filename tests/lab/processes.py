"""What the tests of the command line and of Process share: servers in files of their own."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from echo.lab.conformance.subject import Failed
from echo.lab.conformance.verdict import put
from echo.lab.run.process import NotAsked, Process
from tests.paths import ROOT

PYTHON = sys.executable
PATIENCE = 30  # seconds: what has not happened by then will not

FLOODS = {"serves_a_quiet_client_beside_a_flood", "answers_a_client_that_goes_on_sending"}


def verdict(requirement, command):
    """As the table in the docs writes it."""
    try:
        put(requirement, Process(command, requirement.buffer))
    except Failed:
        return "no"
    except NotAsked:
        return "-"
    return "yes"


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

AS_A_PROGRAM = """
    import socket, sys
    serve(socket.create_server(("127.0.0.1", int(sys.argv[1]))))
    """


def program(serve):
    return textwrap.dedent(serve) + textwrap.dedent(AS_A_PROGRAM)


FAMILY = """
    import os, signal, socket, sys, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    for _ in range(3):
        os.fork()
    time.sleep(1000)
    """
