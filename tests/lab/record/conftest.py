"""What each test of this room leaves as it was, and a server that is stepped."""

import contextlib
import socket

import pytest

from echo.lab import Stepper, start
from echo.lab.record import stand_ins
from tests.lab.record.stepped import serve_of


@pytest.fixture(autouse=True)
def modules_are_as_before():
    """Each test leaves the real functions in their places."""
    before = [getattr(module, name) for name, module in stand_ins.ORIGINS.items()]
    yield
    assert [getattr(module, name) for name, module in stand_ins.ORIGINS.items()] == before


@pytest.fixture
def stepped():
    """A function that starts a server with a stepper; at the end all of them are stopped."""
    with contextlib.ExitStack() as stack:

        def start_one(serve, **options):
            stepper = Stepper()
            server = stack.enter_context(
                start(serve_of(serve) if isinstance(serve, str) else serve, stepper, **options)
            )
            connect = server.connect

            def kept():
                client = connect()
                stack.callback(socket.socket.close, client)  # before a tidy collector sees it
                return client

            server.connect = kept
            return stepper, server

        yield start_one
