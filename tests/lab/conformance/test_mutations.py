"""One line of our own code made wrong at a time: the suite names what has gone wrong."""

import pytest

from echo.lab import zoo
from echo.lab.conformance import REQUIREMENTS, title, up_to
from echo.lab.conformance.requirements import limits
from echo.lab.conformance.subject import Failed
from echo.lab.conformance.verdict import examine, failing
from echo.lab.zoo import Change
from tests.lab.conformance.faults import SHARED
from tests.lab.conformance.faults_of_loops import OF_LOOPS
from tests.lab.conformance.harmless import HARMLESS
from tests.lab.conformance.mutation import Mutation

BY_NAME = {one.__name__: one for one in REQUIREMENTS}
FAULTS = [*SHARED, *OF_LOOPS]


def label(mutation):
    words = " ".join(f"{mutation.old} -> {mutation.new}".split())
    return f"{mutation.module}: {words}"


def repeated(mutation):
    """A soak has no time for all of them.  Those of what is `wanted` have failed beside load."""
    return pytest.param(mutation, marks=pytest.mark.timing if "wanted" in mutation.old else ())


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("collected", "impatient")
@pytest.mark.parametrize("mutation", [*map(repeated, FAULTS)], ids=label)
def test_fault_is_caught_by_what_it_breaks(mutation):
    """A suite that passes a broken server proves nothing about a good one."""
    with pytest.raises(Failed):
        examine(mutation.serve(), BY_NAME[mutation.caught_by])


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("collected")
def test_small_sends_stall_without_nodelay():
    """It takes two lines: crumbs, and Nagle's algorithm, which keeps the second one back."""
    changes = (
        Change("connection", "RECV_SIZE = 256 * 1024", "RECV_SIZE = 6000"),
        Change("accept", "TCP_NODELAY, 1)", "TCP_NODELAY, 0)"),
    )
    serve = zoo.derive("crumbs", "select_server", changes).serve
    with pytest.raises(Failed):
        examine(serve, limits.does_not_stall_in_the_middle_of_an_answer)


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("collected")
def test_server_that_never_asks_for_room_is_blamed_for_nothing_else():
    """It gives back every descriptor, and that was once what it failed as."""
    serve = Mutation("connection", "else READ | WRITE", "else READ").serve()
    asked, blamed = up_to("gives its descriptors back"), []
    while found := failing(serve, asked):
        blamed.append(title(found[0]))
        asked = asked[asked.index(found[0]) + 1 :]
    assert blamed == [
        "sends back a message longer than the buffers",
        "loses nothing when the client reads late",
    ]


@pytest.mark.usefixtures("collected")
@pytest.mark.parametrize("mutation", HARMLESS, ids=label)
def test_change_that_breaks_nothing_passes(mutation):
    """It stays here with its reason: the day it is caught, one of both is wrong."""
    assert mutation.why
    examine(mutation.serve(), BY_NAME[mutation.caught_by])


def test_each_requirement_has_its_fault():
    """Or nobody would notice if it could not fail."""
    caught = {mutation.caught_by for mutation in FAULTS}
    caught |= {animal.caught_by for animal in zoo.ANIMALS.values()}
    assert set(BY_NAME) - caught == {"does_not_stall_in_the_middle_of_an_answer"}


def test_there_are_enough_and_none_is_there_twice():
    """Neither here nor as an animal of the zoo."""
    changes = [(mutation.change,) for mutation in [*FAULTS, *HARMLESS]]
    changes += [animal.changes for animal in zoo.ANIMALS.values()]
    assert len(set(changes)) == len(changes)
    assert len(FAULTS) >= 30
