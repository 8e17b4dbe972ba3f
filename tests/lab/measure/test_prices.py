"""What an echo and an idle client cost, and what the filter of a container forbids."""

import pytest

from echo import epoll_server, io_uring_server
from echo.lab import all_at_once, idle_memory, in_a_container, processor_time, zoo
from echo.lab.run.container import CAN_FORBID
from echo.lab.run.process import Unusable
from echo.lab.run.threads import Crashed


@pytest.mark.parametrize(("clients", "calls"), [(1, 3), (10, 21), (50, 101)])
def test_epoll_asks_once_and_then_makes_two_calls_each(clients, calls):
    """One wait for all, a recv and a send for each."""
    assert all_at_once(epoll_server.serve, clients).each * clients == pytest.approx(calls)


@pytest.mark.parametrize("clients", [1, 10, 50])
def test_two_calls_of_io_uring_are_enough_for_all(clients):
    serve = zoo.load("plain_io_uring").serve
    assert all_at_once(serve, clients).each * clients == pytest.approx(2)


def test_pool_that_is_empty_costs_io_uring_a_call():
    """Fifty have sent, and there are 32 buffers: the rest is asked for again."""
    assert all_at_once(io_uring_server.serve, 50).each * 50 == pytest.approx(3)


def test_crash_is_told():
    def serve(listener):
        listener.accept()[0].close()
        raise ValueError("no more")

    with pytest.raises((Crashed, OSError)):
        all_at_once(serve, 1)


@pytest.mark.timing
def test_io_uring_needs_no_less_processor_time_than_epoll():
    """In Python: packing entries costs what the calls cost that they save."""
    spent = processor_time("epoll", "plain_io_uring", clients=50)
    assert spent["plain_io_uring"] > 0.9 * spent["epoll"]


@pytest.mark.timing
def test_idle_clients_of_io_uring_hold_no_buffer_of_the_pool():
    idle = idle_memory("plain_io_uring", "io_uring", clients=200)
    assert idle["plain_io_uring"] > 60_000
    assert idle["io_uring"] < 4096


def test_server_that_there_is_not_is_named():
    with pytest.raises((Unusable, ValueError), match="selekt"):
        processor_time("selekt")


@pytest.mark.skipif(not CAN_FORBID, reason="other numbers")
def test_ring_is_refused_in_a_container_and_epoll_is_not():
    code = "from echo.ring import Ring\ntry: Ring()\nexcept OSError as error: print(error.errno)"
    assert in_a_container(code) == "1"
    assert in_a_container("import select; select.epoll(); print('allowed')") == "allowed"


@pytest.mark.skipif(not CAN_FORBID, reason="other numbers")
def test_error_in_a_container_is_told():
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        in_a_container("1 / 0")
