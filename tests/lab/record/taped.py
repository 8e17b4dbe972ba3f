"""What the tests of the tape share: our servers, servers in text, a conversation."""

import importlib
import socket
import types

from echo.lab import Tape, start
from tests.paths import ROOT

NAMES = [path.stem for path in sorted(ROOT.glob("echo/*_server.py"))]
SERVERS = {name: importlib.import_module(f"echo.{name}").serve for name in NAMES}

ONE_AT_A_TIME = {"blocking_server"}  # it does not see the second client until the first leaves
NEVER_THE_SAME = {"nonblocking_server"}  # it asks as often as it can


def lines(tape):
    return [str(call) for call in tape]


def serve_in(source, **names):
    """The function serve() of a module whose text is `source`."""
    module = types.ModuleType("a_server")
    module.__dict__.update(names)
    exec(source, module.__dict__)
    return module.serve


def conversation(serve, *, tape=None):
    """Two clients act, one after the other, and leave."""
    tape = Tape() if tape is None else tape
    with start(serve, tape) as server:
        one, two = server.connect(), server.connect()
        for client in one, two, one:
            client.send(b"hello")
            assert client.recv(100) == b"hello"
        for client in one, two:
            client.shutdown(socket.SHUT_WR)
            assert client.recv(1) == b""
            client.close()
    return tape
