"""check_choice() measures before it answers; and many servers are measured at once."""

import pytest

from echo import blocking_server, epoll_server, poll_server, select_server, threaded_server
from echo.lab import check_choice, compare, ordeal, zoo
from echo.lab.measure import apart
from echo.lab.measure.choices import JOBS, objection

pytestmark = pytest.mark.timing

SUITS = {
    "chat": {"epoll", "epoll_edge", "coroutine"},
    "reports": {"threaded"},
    "tool": {"select", "threaded"},
}
OURS = [blocking_server, select_server, poll_server, epoll_server, threaded_server]


@pytest.mark.long
@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize(
    "name",
    ["blocking", "nonblocking", "threaded", "sigio", "select", "poll", "epoll", "epoll_edge"],
)
def test_each_server_for_each_job(job, name):
    reason = objection(job, name)
    assert (reason is None) == (name in SUITS[job]), reason


def test_nothing_is_measured_of_a_stub(capsys):
    check_choice(chat="epoll", tool=...)
    assert capsys.readouterr().out.startswith("Not attempted yet")


def test_each_is_told(capsys):
    check_choice(chat="select", reports=threaded_server, tool=7)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("chat     select: no, it cannot serve a client whose descriptor is")
    assert lines[0].endswith('("high": closed)')
    assert lines[1] == "reports  threaded: suits"
    assert lines[2].startswith("tool     7 is not one of our servers: blocking, coroutine, ")
    assert lines[4].startswith("1 of 3 so far.")


class TestApart:
    @pytest.mark.long
    def test_says_what_is_said_here(self, monkeypatch):
        table, trials = compare(OURS), ordeal(OURS)
        monkeypatch.setattr(apart, "PROCESSES", 99)
        assert str(table) == str(compare(OURS))
        assert str(trials) == str(ordeal(OURS))
        assert trials.stalling("blocking")

    @pytest.mark.parametrize(
        "servers",
        [OURS[:3], [*OURS, zoo.load("plain_epoll")], [*OURS, lambda listener: None]],
        ids=["few", "of the zoo", "of a notebook"],
    )
    def test_not_for_these(self, servers):
        serves = [getattr(server, "serve", server) for server in servers]
        assert apart.each("comparison", "row_and_crowd", serves) == []

    def test_a_process_that_fails_is_told(self):
        serves = [server.serve for server in OURS]
        with pytest.raises(RuntimeError, match=r"could not measure \['echo\.\w+.*ImportError"):
            apart.each("comparison", "no_such_function", serves)
