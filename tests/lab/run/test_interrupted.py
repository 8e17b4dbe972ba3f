"""An interrupt at any moment leaves nothing that leftovers() does not end."""

import pytest

from echo.lab import start
from tests.lab.bench import every_server, run_python


@every_server
def test_interrupt_in_the_with_block_stops_the_server(serve):
    """The stop button is how a learner leaves a cell that hangs."""
    with pytest.raises(KeyboardInterrupt), start(serve) as server, server.connect():
        raise KeyboardInterrupt
    assert server.ended


INTERRUPTS = """
import contextlib, faulthandler, gc, io, itertools, random, signal, sys, threading, time
import IPython  # as in a notebook: an interrupt in the middle of an import is Python's affair
from echo import nonblocking_server, select_server, threaded_server
from echo.lab import leftovers, settle, start
from echo.lab.run.ends import Client, Listener

def interrupt(*_):
    raise KeyboardInterrupt

def lesson(serve, aim, delay):
    "Set the timer before the step number `aim`; when each of the steps began."
    began = []

    def step():
        if len(began) == aim:
            signal.setitimer(signal.ITIMER_REAL, delay)
        began.append(time.monotonic())

    step()
    with start(serve) as server:
        step()
        client = server.connect()
        step()
        client.send(b"x")
        settle(server)
        client.close()
        step()
    return [*began, time.monotonic()]

def places(trace):
    while trace:
        yield trace.tb_frame.f_code.co_name
        trace = trace.tb_next

def interrupted(serve, aim):
    "Where the interrupt hit: mostly in the step that it was aimed at."
    try:
        began = lesson(serve, aim, 0.00005 + chance.random() * shortest[serve][aim])
        signal.setitimer(signal.ITIMER_REAL, 0)
        took = [after - before for before, after in itertools.pairwise(began)]
        shortest[serve] = [*map(min, shortest[serve], took)]
        return []
    except KeyboardInterrupt as error:
        return [*places(error.__traceback__)]

def alive():
    return [thread for thread in threading.enumerate() if thread.ident is not None]

faulthandler.dump_traceback_later(55, exit=True)  # if it hangs, say where
signal.signal(signal.SIGALRM, interrupt)

def unraisable(lost):
    "An interrupt inside a weakref's callback or a __del__ is lost; Python prints so."
    assert lost.exc_type is KeyboardInterrupt, lost

sys.unraisablehook = unraisable
gc.freeze()  # what is looked for below was made later
COUNT, wanted = int(sys.argv[1]), set(sys.argv[2:])
chance = random.Random(7)
servers = [select_server.serve, threaded_server.serve, nonblocking_server.serve]
shortest = dict.fromkeys(servers, [0.1] * 4)  # seconds that each step has taken at least
seen = set()
number, until = 0, time.monotonic() + 30
while number < COUNT or (wanted - seen and time.monotonic() < until):
    number += 1
    for serve in servers[: 3 if number % 3 == 0 else 2]:
        seen.update(interrupted(serve, number % 4))
        with contextlib.redirect_stdout(io.StringIO()) as said:
            leftovers(stop=True)
        assert said.getvalue() == "0 threads, 0 sockets left\\n", said.getvalue()
        deadline = time.monotonic() + 2
        while len(alive()) > 1 and time.monotonic() < deadline:
            time.sleep(0.001)
        assert len(alive()) == 1, alive()
        gc.collect()
        kinds = Listener, Client
        left = [one for one in gc.get_objects() if isinstance(one, kinds) and one.fileno() >= 0]
        assert not left, left
print(*sorted(wanted - seen))
"""


@pytest.mark.timing
def test_interrupt_at_any_moment_leaves_nothing_that_leftovers_do_not_end():
    """While a server starts, settles or stops: nobody knows where a learner's finger falls."""
    assert run_python(INTERRUPTS, "30", "start", "connect", "settle", "end") == "\n"
