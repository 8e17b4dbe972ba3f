"""What docs/conformance.md says under "What is not asked": these faults pass, and its limits hold.

Each is put into a server of ours and tried with the requirements that could see it.  The day when
one of them fails, the page is wrong.
"""

import re
from typing import NamedTuple

import pytest

from echo.lab.conformance import up_to
from echo.lab.conformance.subject import Failed
from echo.lab.conformance.verdict import examine
from echo.lab.zoo import ANIMALS, Change, derive
from tests.lab.processes import PYTHON, verdict
from tests.paths import ROOT

ACCEPTED = "            sock, _ = listener.accept()\n"
RESET = "        except OSError:  # a reset: there is nobody left to echo to\n"
HEARD = "                    reading.add(conn.fileno())\n"
BEGINS = "    listener_fd = listener.fileno()\n"

TWO_HUNDRED = "serves two hundred clients in any order"
BACK = "gives its descriptors back"
MEMORY = "needs little memory for a client"
SILENT = "serves a second client while the first is silent"
SLOWLY = "stops reading from a client that reads slowly"


class Fault(NamedTuple):
    """`changes` in `server`; in which form it meets a requirement, and in which it does not."""

    declared: str  # how the page begins to tell it
    server: str
    changes: tuple[Change, ...]
    passes: tuple[tuple[str, str], ...]  # ("function" or "command", name of the requirement)
    fails: tuple[tuple[str, str], ...] = ()


FAULTS = {
    "keeps addresses": Fault(
        "A little memory is kept for every former client",
        "select_server",
        (
            Change("accept", "\n\nclass Spare", "\nformer = []\n\n\nclass Spare"),
            Change(
                "accept",
                ACCEPTED,
                "            sock, address = listener.accept()\n"
                "            former.append(address)\n",
            ),
        ),
        passes=(
            ("function", BACK),
            ("function", MEMORY),
            ("command", BACK),
            ("command", MEMORY),
        ),
    ),
    "works": Fault(
        "20 ms of work for each new client",
        "select_server",
        (
            Change(
                "accept",
                ACCEPTED,
                f"{ACCEPTED}            import time\n"
                "            end = time.monotonic() + 0.02\n"
                "            while time.monotonic() < end: pass\n",
            ),
        ),
        passes=(("command", TWO_HUNDRED),),
    ),
    "logs": Fault(
        "A line on stdout for each client, a traceback on stderr for each reset",
        "select_server",
        (
            Change("accept", ACCEPTED, f"{ACCEPTED}            print('a client', flush=True)\n"),
            Change(
                "connection",
                RESET,
                f"{RESET}            import traceback\n            traceback.print_exc()\n",
            ),
        ),
        passes=(("command", TWO_HUNDRED), ("command", "survives a client that resets")),
    ),
    "does not end": Fault(
        "A thread that keeps the process from ending",
        "select_server",
        (
            Change(
                "select_server",
                BEGINS,
                f"{BEGINS}    import signal, sys, threading\n"
                "    signal.signal(signal.SIGTERM, lambda *_: sys.exit())\n"
                "    threading.Thread(target=threading.Event().wait).start()\n",
            ),
        ),
        passes=(("command", "sends back what it receives"),),
    ),
    "hangs up": Fault(
        "Hanging up on clients that have been silent for longer than 1.2 seconds",
        "threaded_server",
        (
            Change(
                "threaded_server",
                "    with sock:\n",
                "    with sock:\n        sock.settimeout(10)\n",
            ),
        ),
        passes=(("function", SILENT), ("command", SILENT)),
    ),
    "reads unasked": Fault(
        "To receive on every event, as a command",
        ANIMALS["reads_unasked"].server,
        ANIMALS["reads_unasked"].changes,
        passes=(("command", SLOWLY),),
        fails=(("function", SLOWLY),),
    ),
    "hears 310": Fault(
        "More clients than 300",
        "select_server",
        (
            Change(
                "select_server",
                HEARD,
                f"                    if len(connections) <= 310:\n    {HEARD}",
            ),
        ),
        passes=(("function", MEMORY), ("command", MEMORY)),
        fails=(("command", "survives a descriptor above 1023"),),
    ),
}

PROGRAM = """
import socket, sys
sys.path.insert(0, {root!r})
from echo.lab.zoo import Change, derive

serve = derive("fault", {server!r}, {changes!r}).serve
serve(socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=100))
"""


@pytest.fixture
def judged(write):
    """A function: "yes" or "no", as the tables of the page say it."""

    def judged(fault, form, name):
        one = up_to(name)[-1]
        if form == "command":
            program = PROGRAM.format(root=str(ROOT), server=fault.server, changes=fault.changes)
            return verdict(one, f"{PYTHON} {write(program)} {{port}}")
        try:
            examine(derive("fault", fault.server, fault.changes).serve, one)
        except Failed:
            return "no"
        return "yes"

    return judged


def cases(kind):
    return [
        (name, form, asked)
        for name, fault in FAULTS.items()
        for form, asked in getattr(fault, kind)
    ]


def declared():
    """How the page begins to tell each of them."""
    page = (ROOT / "docs/conformance.md").read_text("utf-8")
    section = page.partition("\n## What is not asked\n")[2].partition("\n## ")[0]
    told = re.findall(r"^- \*\*(.*?)\*\*", section, re.MULTILINE | re.DOTALL)
    return [" ".join(one.split()).rstrip(".") for one in told]


def test_every_fault_of_the_page_is_tried_here():
    """And no other: what is taken off the page is taken off here."""
    assert declared() == [fault.declared for fault in FAULTS.values()]


@pytest.mark.long
@pytest.mark.usefixtures("collected", "nobody_is_left")
@pytest.mark.parametrize(("name", "form", "asked"), cases("passes"))
def test_declared_fault_is_not_seen(judged, name, form, asked):
    """If it is seen now, docs/conformance.md need no longer declare it."""
    assert judged(FAULTS[name], form, asked) == "yes"


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("collected", "nobody_is_left")
@pytest.mark.parametrize(("name", "form", "asked"), cases("fails"))
def test_what_the_page_calls_seen_is_seen(judged, name, form, asked):
    """So the fault is there, and it is the form that makes the difference."""
    assert judged(FAULTS[name], form, asked) == "no"
