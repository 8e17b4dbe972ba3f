"""The states of a connection and the places of its bytes: drawn as they were seen, told alike."""

import re
from xml.etree import ElementTree

import pytest

from echo.lab import connected, lanes, listen, places, queues, states, until
from echo.lab.show.connection import runs, slots

SVG = "{http://www.w3.org/2000/svg}"
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


def letters(drawing):
    """Every text in the picture."""
    return [text.text for text in ElementTree.fromstring(drawing.svg).iter(f"{SVG}text")]


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

    def test_a_state_that_lasts_is_one_box(self):
        words = letters(lanes(LIFE))
        assert [words.count(state) for state in ("LISTEN", "ESTABLISHED", "TIME_WAIT")] == [1, 2, 1]
        assert {moment for moment, _ in LIFE} <= set(words)

    def test_a_client_stays_in_its_column_when_the_listener_goes(self):
        moments = [["LISTEN", "ESTABLISHED"], ["ESTABLISHED"], []]
        assert slots(moments) == [["LISTEN", "", ""], ["ESTABLISHED", "ESTABLISHED", ""]]
        assert runs(["ESTABLISHED", "ESTABLISHED", ""]) == [(0, 2, "ESTABLISHED")]

    def test_a_newcomer_gets_a_column_of_its_own(self):
        """Whoever has left is still on its way out beside it."""
        moments = [["ESTABLISHED"], ["FIN_WAIT2"], ["ESTABLISHED", "FIN_WAIT2"], ["FIN_WAIT2"] * 2]
        assert slots(moments) == [
            ["ESTABLISHED", "FIN_WAIT2", "FIN_WAIT2", "FIN_WAIT2"],
            ["", "", "ESTABLISHED", "FIN_WAIT2"],
        ]

    def test_legend_says_what_is_used(self):
        """A state with no legend of its own is a beginning or an end."""
        assert "waits for clients" in letters(lanes(LIFE))
        only = [("connect()", [("this end", "ESTABLISHED"), ("other end", "ESTABLISHED")])]
        words = letters(lanes(only))
        assert "open in both directions" in words
        assert not {"waits for clients", "beginning or ending"} & set(words)

    def test_same_bytes_on_every_run(self):
        assert lanes(LIFE).svg == lanes(LIFE).svg

    def test_words_are_in_the_picture(self):
        """For a screen reader."""
        drawing = lanes(LIFE)
        assert re.search(r'<svg role="img" aria-label="States by order, 5 moments', drawing.svg)
        assert "client.close(): server LISTEN, CLOSE_WAIT; client FIN_WAIT2" in drawing.svg

    def test_no_moment_is_no_drawing(self):
        with pytest.raises(ValueError, match="at least one moment"):
            lanes([])

    def test_of_a_real_connection(self):
        with listen() as door:
            client, conn = connected(door)
            until(lambda: ("server", "ESTABLISHED") in states(door))
            drawing = lanes([("connected", states(door))])
            client.close()
            conn.close()
        assert drawing.details == [
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

    def test_draws_what_it_tells(self):
        words = letters(places(TEN))
        assert [words.count(word) for word in ("all", "a part", "nothing")] == [1, 3, 2]
        assert {"program", "its kernel", "server's kernel", "nobody reads"} <= set(words)

    def test_no_count_is_shown_but_the_total(self):
        """How many bytes a kernel takes is another number on another machine."""
        drawing = places(
            [("before", {"a": 1_234_567, "b": 0}), ("after", {"a": 0, "b": 1_234_567})]
        )
        assert drawing.summary.startswith("Where 1 234 567 bytes are")
        assert not re.search(r"\d", "".join(letters(drawing)))

    def test_a_byte_that_is_missing_is_no_drawing(self):
        """Or one that counts at both ends, as it does until its arrival is confirmed."""
        with pytest.raises(ValueError, match=r"^later: 9 bytes, and there were 10$"):
            places([TEN[0], ("later", {"program": 0, "its kernel": 0, "server's kernel": 9})])

    def test_of_a_real_connection(self):
        client, conn = connected()
        with client, conn:
            client.send(bytes(100))
            until(lambda: queues(conn).unread == 100 and not queues(client).unacknowledged)
            held = {"one": queues(client).unacknowledged, "other": queues(conn).unread}
            assert places([("send()", held)]).details == ["send(): one nothing, other all"]
