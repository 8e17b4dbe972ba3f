"""The check of a server that is to be edge-triggered: how it asks, then the whole suite.

    check_edge(serve)

The suite judges what clients see, and a level-triggered server passes it too.  So this looks at
the tape of one echo first: is the client's socket on the interest list with EPOLLET?
"""

from collections.abc import Callable
from typing import Any

from echo.lab.conformance import check, is_stub
from echo.lab.record.tape import Tape
from echo.lab.run.server import start


def check_edge(serve: Any) -> None:
    """Put the whole suite to a server if it asks for edges, and say what is missing if not."""
    if callable(serve) and not is_stub(serve) and (fault := fault_of(serve)):
        print(fault)
    else:
        check(serve)


def fault_of(serve: Callable[..., Any]) -> str:
    """What is wrong with how this server tells epoll about its first client; "" if nothing is."""
    tape = Tape()
    try:
        with start(serve, tape) as server, server.connect() as client:
            client.send(b"hello")  # returns when the server has reacted
    except (OSError, RuntimeError):
        return ""  # it has crashed: the suite says in which line
    told = [call.who.split() for call in list(tape) if call.name == "epoll_ctl"]
    ours = [words for words in told if words[1:3] == ["client", "1"] and words[0] != "DEL"]
    if not ours:
        return "Not yet edge-triggered: your server does not call register() for its client."
    for operation, *_, flags in ours:
        if "ET" not in flags.split("|"):
            method = "register" if operation == "ADD" else "modify"
            return (
                f"Not yet edge-triggered: your server calls {method}() for its client with "
                f"{flags}, and without ET."
            )
    return ""
