"""`lists` draws what the tapes and the kernel say, and says the same in words."""

import pytest

from echo import blocking_server, epoll_server, poll_server, select_server
from echo.lab import Tape, lists, start
from echo.lab.display import light


@pytest.fixture
def tape_of(request):
    """A tape of one hello beside silent clients; the server runs until the test ends."""

    def record(module, clients=4):
        tape = Tape()
        server = start(module.serve, tape)
        request.addfinalizer(server.end)
        crowd = [server.connect() for _ in range(clients)]
        for client in crowd:
            request.addfinalizer(client.close)
        tape.clear()
        crowd[-1].send(b"hello")
        return tape

    return record


def test_says_who_keeps_the_list(tape_of):
    """The listener is an entry too."""
    shown = lists(
        select=tape_of(select_server), poll=tape_of(poll_server), epoll=tape_of(epoll_server)
    )
    by_the_kernel = "epoll_wait hands over none and reports 1, the kernel keeps 5 entries"
    in_every_call = "hands over 5 and reports 1, the kernel keeps none"
    assert str(shown).splitlines() == [
        "Who keeps the list, and what one wait passes.",
        f"select: the program keeps 5 entries, pselect6 {in_every_call}",
        f"poll: the program keeps 5 entries, poll {in_every_call}",
        f"epoll: the program keeps none, {by_the_kernel}",
    ]


def test_draws_a_square_for_each_entry(tape_of):
    """So the figure can be counted; beyond two rows there is a number instead."""
    few, many = (lists(epoll=tape_of(epoll_server, clients)).svg for clients in (3, 30))
    assert few.count(light("work")) - many.count(light("work")) >= 4
    assert "31 entries" in many


def test_draws_the_same_bytes_again(tape_of):
    tape = tape_of(epoll_server)
    assert lists(epoll=tape).svg == lists(epoll=tape).svg


def test_needs_a_wait(tape_of):
    """A blocking server has no list."""
    with pytest.raises(ValueError, match="the tape 'blocking' has no wait"):
        lists(blocking=tape_of(blocking_server, 1))
    with pytest.raises(TypeError, match="needs a Tape by name"):
        lists()
