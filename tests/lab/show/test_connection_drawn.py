"""The states of a connection and the places of its bytes: shown as they were seen, told alike."""

import re

import pytest

from echo.lab import connected, lanes, listen, places, queues, states, until
from echo.lab.show.connection import runs, slots
from tests.lab.show.drawn import looks_of, rows_of, table_of

LIFE = [
    ("listen()", [("server", "LISTEN")]),
    ("connect()", [("server", "LISTEN"), ("server", "ESTABLISHED"), ("client", "ESTABLISHED")]),
    ("accept()", [("server", "LISTEN"), ("server", "ESTABLISHED"), ("client", "ESTABLISHED")]),
    ("client.close()", [("server", "LISTEN"), ("server", "CLOSE_WAIT"), ("client", "FIN_WAIT2")]),
    ("conn.close()", [("server", "LISTEN"), ("client", "TIME_WAIT")]),
]
TEN = [
    ("nobody reads", {"program": 6, "its kernel": 3, "server's kernel": 1}),
    ("all of it read", {"program": 0, "its kernel": 0, "server's kernel": 10}),
]


class TestLanes:
    def test_tells_each_moment_in_order(self):
        assert str(lanes(LIFE)).splitlines() == [
            "States by order, 5 moments: server and client.",
            "listen(): server LISTEN; client not listed",
            "connect(): server LISTEN, ESTABLISHED; client ESTABLISHED",
            "accept(): server LISTEN, ESTABLISHED; client ESTABLISHED",
            "client.close(): server LISTEN, CLOSE_WAIT; client FIN_WAIT2",
            "conn.close(): server LISTEN; client TIME_WAIT",
        ]

    def test_a_state_that_lasts_is_one_cell(self):
        """As many rows high as it has lasted; who is not listed has an empty cell."""
        cells = [cell for cell in table_of(lanes(LIFE).markup).iter("td") if cell.text or len(cell)]
        assert [("".join(cell.itertext()), cell.get("rowspan")) for cell in cells] == [
            ("LISTEN", "5"),
            ("ESTABLISHED", "2"),
            ("ESTABLISHED", "2"),
            ("CLOSE_WAIT", None),
            ("FIN_WAIT2", None),
            ("TIME_WAIT", None),
        ]

    def test_each_row_is_whole(self):
        """Every row fills all columns, if what reaches into it from above is counted."""
        heads, *rows = table_of(lanes(LIFE).markup).iter("tr")
        columns = sum(int(head.get("colspan", 1)) for head in heads)
        filled = [0] * len(rows)
        for number, row in enumerate(rows):
            for cell in row:
                for below in range(int(cell.get("rowspan", 1))):
                    filled[number + below] += 1
        assert filled == [columns] * len(rows)

    def test_what_a_head_is_about_is_said(self):
        """To whom a screen reader reads the table, cell by cell."""
        rows = [*table_of(lanes(LIFE).markup).iter("tr")]
        scopes = [[cell.get("scope") for cell in row if cell.tag == "th"] for row in rows]
        assert scopes == [["colgroup", "col"], *[["row"]] * 5]
        assert rows_of(lanes(LIFE).markup)[0] == ["", "server", "client"]

    def test_a_client_stays_in_its_column_when_the_listener_goes(self):
        moments = [["LISTEN", "ESTABLISHED"], ["ESTABLISHED"], []]
        assert slots(moments) == [["LISTEN", "", ""], ["ESTABLISHED", "ESTABLISHED", ""]]
        assert runs(["ESTABLISHED", "ESTABLISHED", ""]) == [(0, 2, "ESTABLISHED"), (2, 1, "")]

    def test_a_newcomer_gets_a_column_of_its_own(self):
        """Whoever has left is still on its way out beside it."""
        moments = [["ESTABLISHED"], ["FIN_WAIT2"], ["ESTABLISHED", "FIN_WAIT2"], ["FIN_WAIT2"] * 2]
        assert slots(moments) == [
            ["ESTABLISHED", "FIN_WAIT2", "FIN_WAIT2", "FIN_WAIT2"],
            ["", "", "ESTABLISHED", "FIN_WAIT2"],
        ]

    def test_a_beginning_or_an_end_has_a_look_of_its_own(self):
        assert looks_of(lanes(LIFE).markup) == ["work", "work", "wait", "wait", "wait"]

    def test_same_bytes_on_every_run(self):
        assert lanes(LIFE).markup == lanes(LIFE).markup

    def test_no_moment_is_no_table(self):
        with pytest.raises(ValueError, match="at least one moment"):
            lanes([])

    def test_of_a_real_connection(self):
        with listen() as door:
            client, conn = connected(door)
            until(lambda: ("server", "ESTABLISHED") in states(door))
            table = lanes([("connected", states(door))])
            client.close()
            conn.close()
        assert str(table).splitlines()[1:] == [
            LIFE[1][0].replace("connect()", "connected") + ": "
            "server LISTEN, ESTABLISHED; client ESTABLISHED"
        ]


class TestPlaces:
    def test_says_all_or_a_part_or_nothing(self):
        assert str(places(TEN)).splitlines() == [
            "Where 10 bytes are, by order, 2 moments.",
            "nobody reads: program a part, its kernel a part, server's kernel a part",
            "all of it read: program nothing, its kernel nothing, server's kernel all",
        ]

    def test_the_table_says_the_same(self):
        assert rows_of(places(TEN).markup) == [
            ["", "program", "its kernel", "server's kernel"],
            ["nobody reads", "a part", "a part", "a part"],
            ["all of it read", "nothing", "nothing", "all"],
        ]
        assert looks_of(places(TEN).markup) == ["wait", "wait", "wait", "work"]

    def test_no_count_is_shown_but_the_total(self):
        """How many bytes a kernel takes is another number on another machine."""
        table = places([("before", {"a": 1_234_567, "b": 0}), ("after", {"a": 0, "b": 1_234_567})])
        assert str(table).startswith("Where 1,234,567 bytes are")
        assert not re.search(r"\d", str(rows_of(table.markup)))

    def test_a_byte_that_is_missing_is_no_table(self):
        """Or one that counts at both ends, as it does until its arrival is confirmed."""
        with pytest.raises(ValueError, match=r"^later: 9 bytes, and there were 10$"):
            places([TEN[0], ("later", {"program": 0, "its kernel": 0, "server's kernel": 9})])

    def test_of_a_real_connection(self):
        client, conn = connected()
        with client, conn:
            client.send(bytes(100))
            until(lambda: queues(conn).unread == 100 and not queues(client).unacknowledged)
            held = {"one": queues(client).unacknowledged, "other": queues(conn).unread}
            said = str(places([("send()", held)])).splitlines()[1:]
        assert said == ["send(): one nothing, other all"]
