"""How programs watch their sockets: asked of the kernel where they are, recorded where not."""

import pytest

from echo.lab import watched
from echo.lab.measure import watched as watched_module
from echo.lab.measure.watched import WATCHABLE, Program, Watched, path_of

pytestmark = pytest.mark.usefixtures("no_process_stays")


@pytest.mark.timing
def test_ours_and_asyncio():
    table = watched("epoll_server", "epoll_edge_server", "asyncio")
    assert table.rows == {
        "epoll_server": Watched("IN", "IN"),
        "epoll_edge_server": Watched("IN|ET", "IN|OUT|ET"),
        "asyncio": Watched("IN", "IN"),
    }
    assert table.row("asyncio").client == "IN"
    assert "recorded" not in str(table)


@pytest.mark.timing
@pytest.mark.parametrize("name", [name for name in WATCHABLE if WATCHABLE[name].recorded])
def test_what_is_recorded_is_what_is_measured(name):
    """Wherever the program is: so no recorded row can grow old unnoticed."""
    if path_of(WATCHABLE[name].program) is None:
        pytest.skip(f"{WATCHABLE[name].program} is not installed; CI need not have it")
    table = watched(name)
    assert table.rows == {name: WATCHABLE[name].recorded}
    assert "recorded" not in str(table)


def test_a_program_that_is_missing_is_recorded(monkeypatch):
    """The table is the same, below one line for each that says so."""
    monkeypatch.setenv("PATH", "/nowhere")
    first, second, *table = str(watched("redis", "nginx")).splitlines()
    assert first == "recorded: no redis-server here; its flags are those of Redis 7.0.15"
    assert second == "recorded: no nginx here; its flags are those of nginx 1.22.1"
    assert [line.split() for line in table[2:]] == [
        ["redis", "IN", "IN"],
        ["nginx", "IN|EXCLUSIVE", "IN|RDHUP|ET"],
    ]


def test_an_unknown_name_is_answered_with_a_list():
    with pytest.raises(ValueError, match="cannot watch 'apache', only epoll_server, "):
        watched("apache")


@pytest.mark.timing
def test_a_program_that_does_not_start_says_why(monkeypatch):
    monkeypatch.setitem(WATCHABLE, "broken", Program("'{program}' -c 'exit(3)' {port}"))
    with pytest.raises(RuntimeError, match=r"broken: the command ended .*, exit code 3"):
        watched("broken")


@pytest.mark.timing
def test_a_program_without_epoll_says_so(monkeypatch):
    monkeypatch.setattr(watched_module, "LISTED", 0.3)
    monkeypatch.setitem(WATCHABLE, "select", Program("'{program}' -m echo select {port}"))
    with pytest.raises(RuntimeError, match="select: no epoll instance of it watches our client"):
        watched("select")
