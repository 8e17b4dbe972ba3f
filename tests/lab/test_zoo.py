"""The zoo: each animal is one of our servers but for the changes it names."""

import builtins
import contextlib
import importlib
import inspect
import socket
import symtable
import sys
import traceback

import pytest

from echo import accept, blocking_server, connection, select_server, threaded_server
from echo.lab import start, zoo
from echo.lab.conformance import REQUIREMENTS, up_to
from echo.lab.conformance.subject import Failed
from echo.lab.conformance.verdict import examine
from echo.lab.run.process import NotAsked
from echo.lab.show.code import source
from echo.lab.zoo import ANIMALS, Change, derive
from tests.lab.conformance.test_our_servers import NOT_ASKED


def original(module):
    return inspect.getsource(importlib.import_module(f"echo.{module}"))


# Each animal.


@pytest.mark.parametrize("name", ANIMALS)
def test_animal_is_a_server_like_any_other(name):
    """Every tool takes it."""
    animal = zoo.load(name)
    assert [*inspect.signature(animal.serve).parameters] == ["listener"]
    assert str(source(animal)) == animal.__source__
    assert animal.__name__ == name


@pytest.mark.parametrize("name", ANIMALS)
def test_animal_differs_only_where_it_says(name):
    """What `diff` shows beside ours is the fault, and nothing else."""
    changes = ANIMALS[name].changes
    (module,) = {change.module for change in changes}  # one file, as source() shows one
    text = original(module)
    for change in changes:
        before, after = text.split(change.old)
        text = before + change.new + after
    assert text == zoo.load(name).__source__ != original(module)


@pytest.mark.parametrize("name", ANIMALS)
def test_animal_says_what_it_is(name):
    """In one sentence."""
    about = ANIMALS[name].about
    assert about.endswith(".")
    assert "\n" not in about


@pytest.mark.parametrize("name", ANIMALS)
def test_lines_to_blame_are_in_the_file(name):
    """An exercise asks for their numbers, so each is found, and only once."""
    text = zoo.load(name).__source__
    assert [text.count(piece) for piece in ANIMALS[name].fault] == [1] * len(ANIMALS[name].fault)


@pytest.mark.parametrize("name", ANIMALS)
def test_every_name_is_known(name):
    """A NameError is caught by every requirement, and hides the fault that is to be seen."""
    file = symtable.symtable(zoo.load(name).__source__, name, "exec")
    known = {one.get_name() for one in file.get_symbols() if one.is_assigned() or one.is_imported()}
    assert {*globals_of(file)} <= known | {*dir(builtins)}


def globals_of(scope):
    if scope.get_type() == "function":
        yield from (one.get_name() for one in scope.get_symbols() if one.is_global())
    for inner in scope.get_children():
        yield from globals_of(inner)


CAUGHT = {name: animal.caught_by for name, animal in ANIMALS.items() if animal.caught_by}
HARMLESS = [name for name in ANIMALS if name not in CAUGHT]
TOUCHED = sorted({(ANIMALS[name].server, CAUGHT[name]) for name in CAUGHT})


@pytest.mark.timing
@pytest.mark.parametrize("name", CAUGHT)
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.filterwarnings("ignore:coroutine 'sendall' was never awaited:RuntimeWarning")
@pytest.mark.usefixtures("collected", "impatient")
def test_broken_server_is_caught_by_what_it_breaks(name):
    """The requirement's name says what is wrong with it."""
    with pytest.raises(Failed):
        examine(zoo.load(name).serve, up_to(CAUGHT[name])[-1])


@pytest.mark.timing
@pytest.mark.parametrize(("server", "requirement"), TOUCHED)
def test_untouched_server_meets_what_catches_its_animals(server, requirement):
    """So it is known that the change is to blame, and nothing else."""
    serve = importlib.import_module(f"echo.{server}").serve
    examine(serve, up_to(requirement)[-1])


@pytest.mark.long
@pytest.mark.timing
@pytest.mark.parametrize("name", HARMLESS)
def test_earlier_stage_meets_the_whole_suite(name):
    """It is slower, or does something else than an echo as well: nothing is wrong with it."""
    not_asked = NOT_ASKED.get(ANIMALS[name].server.removesuffix("_server"), {})
    for requirement in REQUIREMENTS:
        asked = requirement.__name__ not in not_asked
        with contextlib.nullcontext() if asked else pytest.raises(NotAsked):
            examine(zoo.load(name).serve, requirement)


def test_there_are_enough():
    """The classic mistakes, and the stages that lessons begin with."""
    assert len(CAUGHT) >= 15
    assert {"plain_select", "plain_poll", "plain_epoll"} <= {*HARMLESS}


def test_unknown_animal_is_answered_with_a_list():
    """Whoever mistypes one sees what there is."""
    with pytest.raises(ValueError, match=r"there is no 'unicorn' in the zoo, but \w+, \w+"):
        zoo.load("unicorn")


# derive()


@pytest.mark.parametrize("piece", ["select.epoll()", "conn.sock.close()"], ids=["never", "twice"])
def test_piece_that_is_not_found_once_is_an_error(piece):
    """Otherwise the zoo would drift away from the servers, unnoticed."""
    with pytest.raises(ValueError, match=r"animal: not once in echo/select_server\.py: "):
        derive("animal", "select_server", (Change("select_server", piece, "pass"),))


@pytest.mark.parametrize(
    ("server", "module"),
    [
        ("select_server", "threaded_server"),
        ("select_server", "blocking_server"),
        ("blocking_server", "select_server"),
    ],
)
def test_change_of_what_the_server_does_not_use_is_an_error(server, module):
    """It would change nothing, and the animal would not be what it says."""
    import_ = next(line for line in original(module).splitlines() if "import accept" in line)
    changes = (
        Change("connection", "RECV_SIZE = 256 * 1024", "RECV_SIZE = 100"),
        Change(module, import_, f"{import_}  # changed"),
    )
    with pytest.raises(ValueError, match=f"animal: {server} does not use echo/{module}.py"):
        derive("animal", server, changes)


def test_no_change_is_an_error():
    """A copy under another name is no animal."""
    with pytest.raises(ValueError, match="animal: it changes nothing"):
        derive("animal", "select_server", ())


def test_change_below_reaches_the_server_through_what_is_between():
    """select_server gets its connections from accept."""
    change = Change("connection", "RECV_SIZE = 256 * 1024", "RECV_SIZE = 100")
    animal = derive("animal", "select_server", (change,))
    assert animal.accept_all.__globals__["Connection"].receive.__globals__["RECV_SIZE"] == 100
    assert "RECV_SIZE = 100" in animal.__source__
    with start(animal.serve) as server, server.connect() as client:
        client.send(b"hello")
        assert client.recv(100) == b"hello"


def test_our_own_modules_stay_as_they_are():
    """The next server that is started is ours, not the animal's."""
    before = {name: module for name, module in sys.modules.items() if name.startswith("echo")}
    change = Change("connection", "RECV_SIZE = 256 * 1024", "RECV_SIZE = 100")
    animal = derive("connection", "select_server", (change,))
    after = {name: module for name, module in sys.modules.items() if name.startswith("echo")}
    assert before == after
    assert connection.RECV_SIZE == 256 * 1024
    assert accept.Connection is connection.Connection
    assert select_server.accept_all is accept.accept_all
    assert animal.accept_all is not accept.accept_all


def test_threaded_server_gets_its_echo_from_a_changed_blocking_server():
    """The one exception among the floors."""
    change = Change("blocking_server", "sock.sendall(data)", "sock.sendall(data.upper())")
    animal = derive("animal", "threaded_server", (change,))
    assert animal.echo is not threaded_server.echo is blocking_server.echo
    with start(animal.serve) as server, server.connect() as client:
        client.send(b"hello")
        assert client.recv(100) == b"HELLO"


def test_changes_in_two_files_show_the_upper_one():
    """And each file keeps its own lines in a traceback."""
    changes = (
        Change("connection", "RECV_SIZE = 256 * 1024", "RECV_SIZE = 100"),
        Change("select_server", "FD_SETSIZE = 1024", "FD_SETSIZE = 1000"),
    )
    animal = derive("animal", "select_server", changes)
    assert "FD_SETSIZE = 1000" in animal.__source__
    lower = animal.accept_all.__globals__["Connection"].receive.__globals__
    assert lower["__file__"] != animal.__file__


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            Change("select_server", "readable | writable", "readabel | writable"),
            "for fd in readabel",
        ),
        (
            Change("connection", "            self.unsent +=", "            self.unset +="),
            "self.unset += data",
        ),
        (Change("accept", "sock.setblocking(False)", "sock.setblocking(Fals)"), "(Fals)"),
    ],
    ids=["server", "connection", "accept"],
)
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("collected")
def test_traceback_shows_the_lines_of_the_animal(change, line):
    """Not those of the file that it was made from, nor none."""
    animal = derive("animal", "select_server", (change,))
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
    ):
        client.send(b"hello")
        with pytest.raises((NameError, AttributeError)) as caught:
            animal.serve(listener)
    text = "".join(traceback.format_exception(caught.value))
    assert line in text
    assert "animal.py" in text


def test_source_of_a_function_of_an_animal_is_its_own():
    """source(animal.serve) is asked for as often as source(animal)."""
    change = Change("select_server", "FD_SETSIZE:", "FD_SETSIZE + 1:")
    animal = derive("animal", "select_server", (change,))
    assert "FD_SETSIZE + 1:" in str(source(animal.serve))
    below = derive(
        "below", "select_server", (Change("connection", "= 256 * 1024  # the", "= 1  # the"),)
    )
    assert str(source(below.serve)) == str(source(select_server.serve))
