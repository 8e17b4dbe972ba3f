"""What the tests of the stepper share: the loops it can step, and how its words are read."""

import importlib
import socket

from echo.lab.record import stepper as stepper_module

LOOPS = ["select", "poll", "epoll", "epoll_edge", "coroutine"]


def serve_of(name):
    return importlib.import_module(f"echo.{name}_server").serve


def calls(turn):
    return [str(call) for call in turn.calls]


def line(turn, label):
    """What stands beside a label, its lines joined by one blank."""
    lines = str(turn).splitlines()
    at = next(number for number, one in enumerate(lines) if one.startswith(label))
    end = next((n for n in range(at + 1, len(lines)) if not lines[n].startswith(" ")), len(lines))
    return " ".join(one[stepper_module.MARGIN :] for one in lines[at:end])


def story(server, stepper=None):
    """Two clients speak and leave; with a stepper, as many turns as there are."""
    steps = []

    def go():
        while stepper is not None and (turn := stepper.step()).turned:
            steps.append(str(turn))

    go()
    first = server.connect()
    go()
    second = server.connect()
    go()
    for client, text in (first, b"one"), (second, b"two!"), (first, b"three"):
        client.send(text)
        go()
        assert client.recv(100) == text
    for client in first, second:
        client.shutdown(socket.SHUT_WR)
        go()
        assert client.recv(100) == b""
        client.close()
    return steps
