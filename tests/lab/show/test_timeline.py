"""A timeline draws what was recorded, and its words say the same."""

import select

import pytest

from echo import blocking_server, epoll_server, nonblocking_server, select_server, threaded_server
from echo.lab import Tape, start
from echo.lab.record.calls import Control
from echo.lab.show.steps import people, steps_of
from echo.lab.show.timeline import JOINED_LATE, MOST_STEPS, timeline
from tests.lab.show.drawn import IN, IN_VAIN, OUT, SELECT, drawn_words, headings, tape_of


def two_clients(serve):
    """The timeline of a server of whose two clients the second speaks, and its tape."""
    tape = Tape()
    with start(serve, tape) as server:
        silent, client = server.connect(), server.connect()
        client.send(b"hello")
        drawing = timeline(tape)
        silent.close()
        client.close()
    return drawing


class TestTimeline:
    def test_tells_each_call_in_order(self):
        assert str(timeline(tape_of(SELECT))).splitlines() == [
            "Timeline by order. 7 calls, 2 waits among them.",
            "  1 pselect6 waits for listener: listener is readable",
            "  2 accept4, listener: client 1",
            "  3 accept4, listener: EAGAIN",
            (
                "  4 pselect6 waits for listener, client 1 (to read and to write): "
                "client 1 is readable and writable"
            ),
            "  5 recvfrom, client 1: 1 byte",
            "  6 sendto, client 1: 1 byte",
            "  7 close, client 1",
        ]

    def test_draws_what_it_tells(self):
        """A column for each line, a lane for the listener and each client."""
        drawing = timeline(tape_of(SELECT))
        assert headings(drawing) == [name for name, _, _ in SELECT]
        words = [text for text, _ in drawn_words(drawing)]
        assert {"listener", "client 1", "RW", "w", "7"} <= set(words)
        assert "8" not in words

    def test_waiting_is_apart_from_working(self):
        """A call of a blocking socket may sleep; the same call of another returns at once."""
        kinds = [step.kind for step in steps_of(tape_of(SELECT))]
        assert kinds == ["wait", "work", "vain", "wait", "work", "work", "work"]
        blocking = {("accept4", "listener"), ("recvfrom", "client 1"), ("sendto", "client 1")}
        calls = [call for call in SELECT if call[0] != "pselect6" and call[2] != IN_VAIN]
        kinds = [step.kind for step in steps_of(tape_of(calls, blocking))]
        assert kinds == ["wait", "wait", "work", "work"]

    @pytest.mark.timing
    def test_select_server_with_two_clients(self):
        drawing = two_clients(select_server.serve)
        assert drawing.details[-4:] == [
            "  7 pselect6 waits for listener, client 1 and client 2: client 2 is readable",
            "  8 recvfrom, client 2: 5 bytes",
            "  9 sendto, client 2: 5 bytes",
            " 10 pselect6 waits for listener, client 1 and client 2: asleep",
        ]
        assert drawing.svg == two_clients(select_server.serve).svg

    @pytest.mark.timing
    def test_blocking_server_with_two_clients(self):
        assert two_clients(blocking_server.serve).details == [
            "  1 accept4 waits for listener: client 1",
            "  2 recvfrom waits for client 1: asleep",
        ]

    @pytest.mark.timing
    def test_a_thread_sleeps_from_its_call_on(self):
        """Three threads wait at once; one of them began before the others had done their work."""
        tape = Tape()
        with start(threaded_server.serve, tape) as server:
            clients = [server.connect(), server.connect()]
            clients[1].send(b"hello")
            steps = steps_of(tape)
            for client in clients:
                client.close()
        asleep = [([*step.asked], step.first) for step in steps if step.asleep]
        assert asleep == [(["listener"], 2), (["client 1"], 1), (["client 2"], 4)]

    @pytest.mark.timing
    def test_what_is_asked_in_vain_again_and_again_is_drawn_once(self):
        """How often differs from run to run."""
        drawing = two_clients(nonblocking_server.serve)
        assert drawing.details[4:8] == [
            "  5 accept4, listener: client 2",
            "  6 accept4, listener: EAGAIN, again and again",
            "  7 recvfrom, client 1: EAGAIN, again and again",
            "  8 recvfrom, client 2: EAGAIN, again and again",
        ]
        assert drawing.svg == two_clients(nonblocking_server.serve).svg

    @pytest.mark.timing
    def test_epoll_waits_for_its_interest_list(self):
        assert (
            two_clients(epoll_server.serve)
            .details[-1]
            .endswith("epoll_wait waits for listener, client 1 and client 2: asleep")
        )

    def test_who_left_the_interest_list_is_not_waited_for(self):
        calls = [
            ("epoll_create1", None, "epoll"),
            ("epoll_ctl", Control("ADD", "listener", IN), 0),
            ("epoll_ctl", Control("ADD", "client 1", IN | select.EPOLLET), 0),
            ("epoll_ctl", Control("MOD", "client 1", IN | OUT), 0),
            ("epoll_wait", None, {"client 1": IN | select.POLLHUP}),
            ("epoll_ctl", Control("DEL", "client 1", None), 0),
            ("epoll_wait", None, {"listener": IN}),
        ]
        assert timeline(tape_of(calls)).details == [
            "  1 epoll_create1, epoll",
            "  2 epoll_ctl ADD, listener: IN",
            "  3 epoll_ctl ADD, client 1: IN|ET",
            "  4 epoll_ctl MOD, client 1: IN|OUT",
            (
                "  5 epoll_wait waits for listener, client 1 (to read and to write): "
                "client 1 is readable, has HUP"
            ),
            "  6 epoll_ctl DEL, client 1",
            "  7 epoll_wait waits for listener: listener is readable",
        ]

    def test_a_tape_that_was_cleared_does_not_know_who_is_in_the_interest_list(self):
        """It says so, and counts in whoever is heard of."""
        words = timeline(tape_of([("epoll_wait", None, {"client 1": IN})])).details
        assert words == [
            "  1 epoll_wait waits for client 1: client 1 is readable",
            JOINED_LATE,
        ]
        drawing = timeline(tape_of([("epoll_wait", None, {})]))
        assert drawing.details[0] == "  1 epoll_wait waits for its interest list"
        assert JOINED_LATE in [text for text, _ in drawn_words(drawing)]

    def test_several_stand_side_by_side(self):
        """Each under its name, on the same lanes."""
        drawing = timeline(one=tape_of(SELECT), another=tape_of(SELECT[:3]))
        words = [text for text, _ in drawn_words(drawing)]
        assert words.count("listener") == 1
        assert {"one", "another"} <= set(words)
        assert len(headings(drawing)) == 10
        assert [line for line in drawing.details if line.endswith(":")] == ["one:", "another:"]

    def test_a_long_tape_goes_on_below_and_ends(self):
        """As it does in its words."""
        drawing = timeline(tape_of(SELECT * 20))
        assert len(headings(drawing)) == MOST_STEPS
        assert drawing.details[-1] == "and 84 calls more"
        assert any("84 calls more" in text for text, _ in drawn_words(drawing))
        assert timeline(tape_of(SELECT * 40)).details[-1] == "and more than 100 calls more"

    def test_a_crowd_shares_a_lane_and_a_figure_stays_small(self):
        everybody = [f"client {number}" for number in range(1, 201, 2)]
        asked, answer = dict.fromkeys(everybody, IN | OUT), dict.fromkeys(everybody, IN)
        calls = [("pselect6", asked, answer)] * 70
        drawing = timeline(tape_of(calls))
        words = [text for text, _ in drawn_words(drawing)]
        assert words.count("asleep") == 0
        assert len([word for word in words if word.startswith("client")]) == 2 * 11
        assert "89 clients" in words
        few = timeline(tape_of(SELECT * 20))
        assert len(few.svg) < 60_000

    def test_a_tape_without_calls(self):
        assert timeline(Tape()).details == ["no call yet"]

    @pytest.mark.parametrize("nothing", [None, 7, select_server])
    def test_says_what_is_no_tape(self, nothing):
        with pytest.raises(TypeError, match="Tape"):
            timeline(nothing)


@pytest.mark.parametrize(
    ("lanes", "said"),
    [
        (["listener"], "listener"),
        (["client 2", "client 1"], "client 1 and client 2"),
        (["client 2", "client 10", "client 1", "client 3"], "clients 1 to 3 and client 10"),
        ([], ""),
    ],
)
def test_people(lanes, said):
    assert people(lanes) == said
