"""Broken chat servers of the stages from the seventh on: letters, limits, and large numbers."""

from echo.lab.stages.servers.broken_chat import WELCOME, Broken, change, override

LINE_TOO_LONG = """\
        if len(line) > LONGEST:
            guest.lost()
            return
"""
REST_TOO_LONG = """\
    if len(guest.rest.removesuffix(b"\\r")) > LONGEST:
        guest.lost()
"""
NOT_TEXT = """\
        except UnicodeDecodeError:
            guest.lost()
            return
"""
DROP = """\
    if len(guest.unsent) > MOST:
        guest.lost()
"""


CHAT_LIMITS: dict[str, Broken] = {
    # 7
    "decodes_each_piece": Broken(
        "decodes whole lines",
        "Decodes what recv() returns, and looks for lines in that.",
        (change("    *lines, guest", "    data = data.decode().encode()\n    *lines, guest"),),
    ),
    "dies_of_what_is_not_text": Broken(
        "decodes whole lines",
        "Does not expect decode() to raise an error.",
        (change(NOT_TEXT, "        except ZeroDivisionError:\n            return\n"),),
    ),
    "replaces_what_is_not_text": Broken(
        "decodes whole lines",
        "Decodes each piece with errors='replace': half a character becomes a question mark.",
        (
            change(
                "    *lines, guest",
                '    data = data.decode(errors="replace").encode()\n    *lines, guest',
            ),
        ),
    ),
    "ignores_what_is_not_text": Broken(
        "decodes whole lines",
        "Leaves out the bytes that it cannot decode.",
        (change("line.decode()", 'line.decode(errors="ignore")'),),
    ),
    "hears_on_after_what_is_not_text": Broken(
        "decodes whole lines",
        "Passes on what a client sent after a line that is no text.",
        (change(NOT_TEXT, NOT_TEXT.replace("return", "continue")),),
    ),
    # 8
    "keeps_a_line_without_end": Broken(
        "limits the length of a line",
        "Waits for the end of a line, however long that takes.",
        (change(LINE_TOO_LONG, ""), change(REST_TOO_LONG, "")),
    ),
    "measures_whole_lines_only": Broken(
        "limits the length of a line",
        "Looks at the length of a line when its end has come.",
        (change(REST_TOO_LONG, ""),),
    ),
    "cuts_long_lines": Broken(
        "limits the length of a line",
        "Passes on the first thousand bytes, and takes the rest for another line.",
        (
            change(LINE_TOO_LONG, ""),
            change(REST_TOO_LONG, ""),
            change(
                "    for line in lines:\n",
                "    if len(guest.rest) > LONGEST:\n"
                "        lines.append(guest.rest[:LONGEST])\n"
                "        guest.rest = guest.rest[LONGEST:]\n"
                "    for line in lines:\n",
            ),
        ),
    ),
    "counts_its_own_words": Broken(
        "limits the length of a line",
        "Allows a thousand bytes with the name of the speaker among them.",
        (change("len(line) >", "len(guest.name or '') + 2 + len(line) >"),),
    ),
    "counts_the_return": Broken(
        "limits the length of a line",
        "Takes the \\r before the newline for a part of the line.",
        (
            change('        line = line.removesuffix(b"\\r")\n', ""),
            change("line.decode()", 'line.decode().removesuffix("\\r")'),
        ),
    ),
    "counts_letters": Broken(
        "limits the length of a line",
        "Allows a thousand letters, which may be four thousand bytes.",
        (change("len(line) >", 'len(line.decode(errors="replace")) >'),),
    ),
    "allows_four_thousand": Broken(
        "limits the length of a line",
        "Has another limit.",
        (change("LONGEST = 1000", "LONGEST = 4096"),),
    ),
    "measures_the_rest_only": Broken(
        "limits the length of a line",
        "Looks at the length of a line only before its end has come.",
        (change(LINE_TOO_LONG, ""),),
    ),
    "passes_on_the_beginning": Broken(
        "limits the length of a line",
        "Passes on the first thousand bytes of a line, and forgets the others.",
        (
            change(LINE_TOO_LONG, "        line = line[:LONGEST]\n"),
            change(REST_TOO_LONG, "    guest.rest = guest.rest[: LONGEST + 1]\n"),
        ),
    ),
    # 9
    "forgets_the_rest": Broken(
        "keeps what does not fit",
        "Does not look at what send() returns.",
        (
            override(
                "send(self)",
                "        try:\n"
                "            self.sock.send(self.unsent)\n"
                "        except OSError:\n"
                "            pass\n"
                '        self.unsent = b""\n',
            ),
        ),
    ),
    "never_asks_for_room": Broken(
        "keeps what does not fit",
        "Keeps the rest, and tries again only when somebody speaks.",
        (change("return READ | WRITE * bool(self.unsent)", "return READ"),),
    ),
    "never_takes_back_what_it_asked_for": Broken(
        "keeps what does not fit",
        "Goes on asking for writability when all has been sent.",
        (change("if guest.wanted() != guest.interest:", "if guest.wanted() > guest.interest:"),),
    ),
    "repeats_what_was_taken": Broken(
        "keeps what does not fit",
        "Sends all of it again when send() has taken a part.",
        (
            override(
                "send(self)",
                "        before = self.unsent\n"
                "        super().send()\n"
                "        self.unsent = before if self.unsent else self.unsent\n",
            ),
        ),
    ),
    # 10
    "sendall": Broken(
        "drops a client that never reads",
        "Sends with sendall(), on a blocking socket.",
        (
            change("import select\n", "import contextlib\nimport select\n"),
            override(
                "send(self)",
                "        self.sock.setblocking(True)\n"
                "        with contextlib.suppress(OSError):\n"
                "            self.sock.sendall(self.unsent)\n"
                '        self.unsent = b""\n'
                "        self.sock.setblocking(False)\n",
            ),
        ),
    ),
    "keeps_everything": Broken(
        "drops a client that never reads",
        "Keeps whatever a client has not read yet.",
        (change(DROP, ""),),
    ),
    "drops_lines": Broken(
        "drops a client that never reads",
        "Drops lines, where it should drop the client.",
        (
            change(
                "        guest.lost()\n\n\ndef tell",
                "        guest.unsent = guest.unsent[:MOST]\n\n\ndef tell",
            ),
        ),
    ),
    "stops_reading": Broken(
        "drops a client that never reads",
        "Reads from nobody while one client is owed much.",
        (
            change(
                "            elif event & READ:\n",
                "            elif any(len(one.unsent) > MOST // 2 for one in room.values()):\n"
                "                continue\n"
                "            elif event & READ:\n",
            ),
        ),
    ),
    "keeps_five_megabytes": Broken(
        "drops a client that never reads",
        "Has another limit.",
        (change("MOST = 1_000_000", "MOST = 5_000_000"),),
    ),
    # 11
    "always_asks_for_room": Broken(
        "serves two hundred",
        "Asks for writability although it owes nothing.",
        (
            change("READ | WRITE * bool(self.unsent)", "READ | WRITE"),
            change(
                "                    poller.register(guest, READ)\n",
                "                    poller.register(guest, READ | WRITE)\n"
                "                    guest.interest = READ | WRITE\n",
            ),
        ),
    ),
    "accepts_one_for_an_edge": Broken(
        "serves two hundred",
        "Watches its listener edge-triggered, and accepts one client an event.",
        (
            change(
                "    poller.register(listener, READ)\n",
                "    poller.register(listener, READ | select.EPOLLET)\n",
            ),
            change(WELCOME, WELCOME + "                    break\n"),
        ),
    ),
    "looks_again_and_again": Broken(
        "serves two hundred",
        "Waits with a timeout of 0.",
        (change("poller.poll()", "poller.poll(0)"),),
    ),
    "looks_every_ten_milliseconds": Broken(
        "serves two hundred",
        "Wakes up a hundred times a second, for nothing.",
        (change("poller.poll()", "poller.poll(0.01)"),),
    ),
    "has_a_hundred_places": Broken(
        "serves two hundred",
        "Stops accepting at a hundred clients.",
        (
            change(
                "            if fd == listener.fileno():\n",
                "            if fd == listener.fileno() and len(room) >= 100:\n"
                "                poller.modify(listener, 0)\n"
                "            elif fd == listener.fileno():\n",
            ),
            change(WELCOME, WELCOME + "                    break\n"),
        ),
    ),
}
