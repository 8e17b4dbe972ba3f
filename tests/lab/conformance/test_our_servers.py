"""Every server of ours against every requirement; what a model cannot do is declared here."""

import importlib
import inspect
import re

import pytest

from echo.lab.conformance import REQUIREMENTS, title
from echo.lab.conformance.catalog import required
from echo.lab.conformance.subject import Failed
from echo.lab.conformance.verdict import examine
from echo.lab.run import faults
from echo.lab.run.process import NotAsked
from tests.paths import ROOT

SERVERS = {
    path.stem.removesuffix("_server"): importlib.import_module(f"echo.{path.stem}").serve
    for path in sorted(ROOT.glob("echo/*_server.py"))
}

ONE_AT_A_TIME = "it waits for one client, and cannot wait for another meanwhile"
NEVER_SLEEPS = "it asks all the time whether something has happened: that is the model"
CANNOT = {
    "blocking": {
        "serves_a_second_client_while_the_first_is_silent": ONE_AT_A_TIME,
        "serves_two_hundred_clients_in_any_order": ONE_AT_A_TIME,
        "needs_little_memory_for_a_client": ONE_AT_A_TIME,
        "serves_a_second_client_while_the_first_does_not_read": ONE_AT_A_TIME,
        "goes_on_when_descriptors_run_out": ONE_AT_A_TIME,
        "survives_a_descriptor_above_1023": ONE_AT_A_TIME,
    },
    "nonblocking": {
        "sleeps_while_its_clients_are_silent": NEVER_SLEEPS,
        "sleeps_while_a_client_does_not_read": NEVER_SLEEPS,
        "sleeps_while_a_half_closed_client_does_not_read": NEVER_SLEEPS,
        "sleeps_when_clients_have_left": NEVER_SLEEPS,
        "sleeps_when_descriptors_have_run_out": NEVER_SLEEPS,
    },
    "select": {
        "serves_a_client_with_a_descriptor_above_1023": "an fd_set has a bit for 0 to 1023",
    },
}
NOT_ASKED = {
    "blocking": {
        "serves_a_quiet_client_beside_a_flood": "it has not received anything from client 2",
    },
    "io_uring": {
        "serves_a_quiet_client_beside_a_flood": "this server receives another way",
        "answers_a_client_that_goes_on_sending": "this server receives another way",
    },
}


def serves_a_client_with_a_descriptor_above_1023(server):
    """More than the suite requires: there, to close it is enough."""
    with faults.more_descriptors(), server.server.number_descriptors_from(1024):
        client = server.connect()
        client.says(b"hello")
        client.hears(b"hello")


ASKED = [*REQUIREMENTS, required(serves_a_client_with_a_descriptor_above_1023, again="")]


@pytest.mark.timing
@pytest.mark.parametrize("requirement", ASKED, ids=title)
@pytest.mark.parametrize("name", SERVERS)
def test_server_meets_the_requirement(name, requirement):
    """Or it is listed that, and why, its model cannot: then it must not, either.

    What cannot be asked of it is listed as well: a pass would say that it has been seen.
    """
    if reason := NOT_ASKED.get(name, {}).get(requirement.__name__):
        with pytest.raises(NotAsked, match=re.escape(reason)):
            examine(SERVERS[name], requirement)
        return
    if requirement.__name__ in CANNOT.get(name, {}):
        with pytest.raises(Failed):
            examine(SERVERS[name], requirement)
    else:
        examine(SERVERS[name], requirement)


def test_what_is_not_required_is_a_requirement():
    """A name that no requirement has would excuse nothing, and nobody would notice."""
    names = {one.__name__ for one in ASKED}
    tables = [*CANNOT.values(), *NOT_ASKED.values()]
    assert {*CANNOT, *NOT_ASKED} <= set(SERVERS)
    assert {name for table in tables for name in table} <= names


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=title)
def test_requirement_says_what_and_why(requirement):
    """Its name and its docstring are all that a learner is told about it."""
    assert " " in title(requirement)
    assert inspect.getdoc(requirement).endswith(".")
