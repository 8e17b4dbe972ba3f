"""Two tables of a connection: its states, a lane for each end, and where its bytes are.

    seen = [("connect()", states(listener))]
    seen.append(("close()", states(listener)))
    lanes(seen)

    places([("send() says EAGAIN", {"client program": 6, "its kernel": 3, "server's kernel": 1})])

Both go from the top down by order: nothing measured in seconds is shown.  Of bytes it is said
whether a place holds all of them, a part or nothing; how many a kernel takes differs between
machines, and from run to run.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence

from echo.lab.display import Shown
from echo.lab.show.tables import Cell, table_html
from echo.lab.words import amount

# how a state is shown: all that are not named here are those of a beginning or an end
STATE_LOOKS = {"LISTEN": "", "ESTABLISHED": "work", "CLOSE": "vain"}
AMOUNTS = {"all": "work", "a part": "wait", "nothing": ""}

Seen = Sequence[tuple[str, str]]  # as states() returns it


def lanes(moments: Iterable[tuple[str, Seen]]) -> Shown:
    """The states of a connection, or of several, moment by moment, in two lanes.

    `moments`: (what has just happened, what states() said then).  A state that lasts is one cell.
    An end without a state is not in the kernel's table.  Raises ValueError if there is no moment.
    """
    table = [(moment, list(seen)) for moment, seen in moments]
    if not table:
        raise ValueError("lanes() needs at least one moment")
    names = list(dict.fromkeys(end for _, seen in table for end, _ in seen))
    names.sort(key=["server", "this end", "client", "other end"].index)
    columns = {
        name: slots([[s for e, s in seen if e == name] for _, seen in table]) for name in names
    }
    details = [f"{moment}: {moment_words(seen, names)}" for moment, seen in table]
    summary = f"States by order, {amount(len(table), 'moment')}: {' and '.join(names)}."
    heads = [Cell(""), *(Cell(name, columns=len(columns[name])) for name in names)]
    rows = lanes_rows([moment for moment, _ in table], columns)
    return Shown("\n".join([summary, *details]), table_html(summary, heads, rows))


def moment_words(seen: Seen, names: list[str]) -> str:
    """Of one moment: "server LISTEN; client ESTABLISHED, SYN_SENT"."""
    said = []
    for name in names:
        here = [state for end, state in seen if end == name]
        said.append(f"{name} {', '.join(here) or 'not listed'}")
    return "; ".join(said)


def slots(moments: list[list[str]]) -> list[list[str]]:
    """The states of one lane, column by column; "" where there is none.

    The table does not say which entry of now was which of before.  So what is still there keeps
    its column, what is new takes one whose state is gone, and a listener has one to itself.
    """
    columns: list[list[str]] = []
    for row, states in enumerate(moments):
        left = list(states)
        changed = []
        for column in columns:
            if column[-1] in left:
                left.remove(column[-1])
                column.append(column[-1])
            else:
                changed.append(column)
        for column in changed:
            beginner = next((state for state in left if column[-1] not in ("", "LISTEN")), "")
            if beginner:
                left.remove(beginner)
            column.append(beginner)
        columns += [[""] * row + [state] for state in left]
    return columns


def runs(states: list[str]) -> list[tuple[int, int, str]]:
    """(first row, rows, state) of every stretch of the same state; "" where there is none."""
    found: list[tuple[int, int, str]] = []
    for row, state in enumerate(states):
        if found and found[-1][2] == state:
            first, rows, _ = found.pop()
            found.append((first, rows + 1, state))
        else:
            found.append((row, 1, state))
    return found


def lanes_rows(
    moments: list[str], columns: Mapping[str, list[list[str]]]
) -> list[list[str | Cell]]:
    """A row for each moment; a state that lasts is one cell over several rows."""
    rows: list[list[str | Cell]] = [[moment] for moment in moments]
    for column in itertools.chain(*columns.values()):
        for first, number, state in runs(column):
            if state:
                rows[first].append(Cell(state, STATE_LOOKS.get(state, "wait"), number))
            else:
                for row in rows[first : first + number]:
                    row.append("")
    return rows


def places(moments: Iterable[tuple[str, Mapping[str, int]]]) -> Shown:
    """Where the bytes of a message are, moment by moment: all of them, a part or nothing.

    `moments`: (what has just happened, {place: bytes}), the same places each time.
    Raises ValueError if a moment has more or fewer bytes than the first: then some are missing
    from the account, or are in it twice.
    """
    table = [(moment, dict(held)) for moment, held in moments]
    if not table:
        raise ValueError("places() needs at least one moment")
    total = sum(table[0][1].values())
    for moment, held in table:
        if sum(held.values()) != total:
            raise ValueError(f"{moment}: {sum(held.values())} bytes, and there were {total}")
    names = list(table[0][1])
    rows = [[share(held[name], total) for name in names] for _, held in table]
    details = [
        f"{moment}: {', '.join(f'{name} {said}' for name, said in zip(names, row, strict=True))}"
        for (moment, _), row in zip(table, rows, strict=True)
    ]
    summary = f"Where {total:,} bytes are, by order, {amount(len(table), 'moment')}."
    cells = [
        [Cell(moment), *(Cell(said, AMOUNTS[said]) for said in row)]
        for (moment, _), row in zip(table, rows, strict=True)
    ]
    return Shown("\n".join([summary, *details]), table_html(summary, ["", *names], cells))


def share(held: int, total: int) -> str:
    return "nothing" if held == 0 else "all" if held == total else "a part"
