"""The cell that shows a failure again runs, and shows it."""

import ast
import contextlib
import io
import socket
import time

import pytest

from echo import select_server
from echo.lab import Crashed, Tape, start
from echo.lab.conformance import REQUIREMENTS, title
from echo.lab.zoo import Change, derive
from tests.lab.conformance.told import echoes_once, returns, said


def shown(serve, requirement):
    """What the cell prints and its last line gives, or what it raises."""
    tree = ast.parse(requirement.again.format("serve"))
    names = {"Tape": Tape, "start": start, "socket": socket, "time": time, "serve": serve}
    value = None
    try:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            if isinstance(tree.body[-1], ast.Expr):
                value = ast.Expression(tree.body.pop().value)
            exec(compile(tree, "<again>", "exec"), names)
            if value:
                value = eval(compile(value, "<again>", "eval"), names)
    except (OSError, Crashed) as error:
        return type(error)
    finally:
        server = names["server"]
        for client in server.clients():
            client.close()
        assert server.end()
        assert str(names["tape"])
    return printed.getvalue(), value


@pytest.mark.timing
@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=title)
def test_cell_that_shows_it_again_runs(requirement):
    """A learner pastes it; on a good server it ends by itself and raises nothing."""
    printed, value = shown(select_server.serve, requirement)
    if "cpu" in requirement.again:
        assert value is True
    if " of " in printed:  # bytes received, of bytes sent
        received, sent = printed.split(" of ")
        assert int(received) == int(sent) > 100_000


def test_cell_that_shows_it_again_has_the_client_leave():
    """A server that returns does so when its client has left, not before it has answered."""
    printed = said(returns)
    assert "\n          client.close()\n          where_is(server)\n" in printed
    assert "where_is" not in said(echoes_once)


def broken(module, old, new, server="select_server"):
    return derive("broken", server, (Change(module, old, new),)).serve


BROKEN = {
    "sends_back_what_it_receives": broken(
        "connection",
        "return 0 if self.eof else READ",
        "return 0",
    ),
    "serves_one_client_after_another": broken(
        "blocking_server",
        "            echo(sock)",
        "            return echo(sock)",
        "blocking_server",
    ),
    "survives_a_client_that_resets": broken(
        "connection", "except OSError:  # a reset", "except EOFError:  # a reset"
    ),
    "loses_nothing_when_the_client_reads_late": broken(
        "connection",
        "            self.unsent = self.unsent[count:]",
        '            self.unsent = b""',
    ),
    "finishes_its_answer_to_a_half_closed_client": broken(
        "connection", "if not self.unsent:", "if not self.unsent or self.eof:"
    ),
    "serves_a_second_client_while_the_first_does_not_read": broken(
        "accept", "            sock.setblocking(False)\n", ""
    ),
    "stops_reading_from_a_client_that_does_not_read": broken(
        "connection", "HIGH_WATER = 256 * 1024", "HIGH_WATER = 1 << 40"
    ),
    "sleeps_while_its_clients_are_silent": broken(
        "select_server", "writing, [])", "writing, [], 0)"
    ),
    "sleeps_while_a_half_closed_client_does_not_read": broken(
        "connection", "return WRITE if self.eof or len", "return WRITE if len"
    ),
    "goes_on_when_descriptors_run_out": broken(
        "accept", "(errno.EMFILE, errno.ENFILE)", "(errno.ENFILE,)"
    ),
    "survives_a_descriptor_above_1023": broken("select_server", ">= FD_SETSIZE", "> FD_SETSIZE"),
}


@pytest.mark.timing
@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("collected")
def test_cell_that_shows_it_again_shows_the_fault(name):
    """What it does is not what it does on a good server."""
    (requirement,) = (one for one in REQUIREMENTS if one.__name__ == name)
    assert shown(BROKEN[name], requirement) != shown(select_server.serve, requirement)
