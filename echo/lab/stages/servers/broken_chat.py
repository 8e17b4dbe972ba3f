"""Broken chat servers: each is the reference with one common mistake, and names its stage.

Those of the first six stages; broken_chat_limits has the others.
"""

from typing import NamedTuple

from echo.lab.zoo.changes import Change


class Broken(NamedTuple):
    """`stage`: the name of the first stage that does not hold."""

    stage: str
    about: str
    changes: tuple[Change, ...]


def change(old: str, new: str) -> Change:
    return Change("lab.stages.servers.chat", old, new)


WELCOME = '                    say(guest, "name?")\n'
OTHERS = "        if other.name and other is not guest:\n"
NAMES = "[other.name for other in guest.room.values() if other.name]"
FIRST_LINE = """\
    names = [other.name for other in guest.room.values() if other.name]
    guest.name = line
"""
GONE = """\
    while gone := [guest for guest in room.values() if guest.eof]:
        for guest in gone:
            del room[guest.fileno()]
            poller.unregister(guest)
            guest.sock.close()
        for guest in gone:
            if guest.name:
                tell_others(guest, f"* {guest.name} left")
"""
ON_THE_WAY = """\
    for guest in room.values():
        if guest.eof:
            del room[guest.fileno()]
            poller.unregister(guest)
            guest.sock.close()
            if guest.name:
                tell_others(guest, f"* {guest.name} left")
"""


def override(name: str, body: str) -> Change:
    """A method of Connection that the guest does in another way."""
    return change("    def wanted(self):\n", f"    def {name}:\n{body}\n    def wanted(self):\n")


CHAT: dict[str, Broken] = {
    # 1
    "waits_for_the_client_to_speak": Broken(
        "asks for a name",
        "Asks when the first bytes have come.",
        (
            change(WELCOME, ""),
            change(
                "    *lines, guest",
                "    if not guest.name and not guest.rest:\n"
                '        say(guest, "name?")\n'
                "    *lines, guest",
            ),
        ),
    ),
    "forgets_the_newline": Broken(
        "asks for a name",
        "Sends its lines without an end.",
        (change('text.encode() + b"\\n"', "text.encode()"),),
    ),
    "ends_lines_like_windows": Broken(
        "asks for a name",
        "Ends its lines with \\r\\n where the protocol says \\n.",
        (change('text.encode() + b"\\n"', 'text.encode() + b"\\r\\n"'),),
    ),
    # 2
    "keeps_the_return": Broken(
        "tells who is here",
        "Takes the \\r of \\r\\n for a part of the name.",
        (change('line.removesuffix(b"\\r")', "line"),),
    ),
    "counts_itself_in": Broken(
        "tells who is here",
        "Lists those who are here with the newcomer among them.",
        (
            change(
                FIRST_LINE,
                "    guest.name = line\n"
                "    names = [other.name for other in guest.room.values() if other.name]\n",
            ),
        ),
    ),
    "announces_to_the_newcomer": Broken(
        "tells who is here",
        "Says that a client joined before it says who is here, and to that client as well.",
        (
            change(
                '    say(guest, "* here: " + ", ".join(names))\n'
                '    tell_others(guest, f"* {line} joined")\n',
                '    tell_others(guest, f"* {line} joined")\n'
                '    say(guest, f"* {line} joined")\n'
                '    say(guest, "* here: " + ", ".join(names))\n',
            ),
        ),
    ),
    "tells_only_the_last": Broken(
        "tells who is here",
        "Returns after the first one that it has told.",
        (
            change(
                "            say(other, text)\n",
                "            say(other, text)\n            return\n",
            ),
        ),
    ),
    "lists_the_nameless": Broken(
        "tells who is here",
        "Lists among those who are here some who have not said their name.",
        (
            change(
                NAMES,
                '[other.name or "somebody" for other in guest.room.values() if other is not guest]',
            ),
        ),
    ),
    "takes_nothing_for_a_name": Broken(
        "tells who is here",
        "Takes an empty line for a name.",
        (change("    if not line:\n", "    if not line and guest.name:\n"),),
    ),
    # 3
    "echoes": Broken(
        "passes on what is said",
        "Sends a line back to its speaker as well.",
        (
            change(
                '        tell_others(guest, f"{guest.name}: {line}")\n',
                '        tell_others(guest, f"{guest.name}: {line}")\n'
                '        say(guest, f"{guest.name}: {line}")\n',
            ),
        ),
    ),
    "forgets_who_speaks": Broken(
        "passes on what is said",
        "Passes a line on without the name of its speaker.",
        (change('f"{guest.name}: {line}"', "line"),),
    ),
    "takes_every_line_for_a_name": Broken(
        "passes on what is said",
        "Has no memory of having got the name.",
        (change("    if guest.name:\n        tell", "    if not guest:\n        tell"),),
    ),
    # 4
    "one_recv_is_one_line": Broken(
        "finds the lines in the stream",
        "Takes what one recv() returns for a line.",
        (
            change(
                '    *lines, guest.rest = (guest.rest + data).split(b"\\n")\n',
                '    lines = [data.rstrip(b"\\n")] if data else []\n',
            ),
        ),
    ),
    "splits_each_piece": Broken(
        "finds the lines in the stream",
        "Splits what one recv() returns, and takes its last part for a line too.",
        (
            change(
                '    *lines, guest.rest = (guest.rest + data).split(b"\\n")\n',
                "    lines = data.splitlines()\n",
            ),
        ),
    ),
    "one_line_an_event": Broken(
        "finds the lines in the stream",
        "Reads one line for each event; what came with it has to wait for the next.",
        (
            change(
                '    *lines, guest.rest = (guest.rest + data).split(b"\\n")\n',
                '    line, end, after = (guest.rest + data).partition(b"\\n")\n'
                "    lines = [line] if end else []\n"
                "    guest.rest = after if end else line\n",
            ),
        ),
    ),
    "drops_what_came_after": Broken(
        "finds the lines in the stream",
        "Forgets the beginning of a line that came with the end of another.",
        (
            change(
                "    for line in lines:\n",
                '    if lines:\n        guest.rest = b""\n    for line in lines:\n',
            ),
        ),
    ),
    "waits_for_the_whole_line": Broken(
        "finds the lines in the stream",
        "Goes on receiving until a line is complete, and sees nobody else meanwhile.",
        (
            change(
                "    *lines, guest",
                "    guest.sock.setblocking(True)\n"
                '    while data and not data.endswith(b"\\n"):\n'
                "        more = guest.sock.recv(65536)\n"
                '        data = data + more if more else b""\n'
                "    guest.sock.setblocking(False)\n"
                "    *lines, guest",
            ),
        ),
    ),
    "passes_on_empty_lines": Broken(
        "finds the lines in the stream",
        "Passes on lines with nothing in them.",
        (change("    if not line:\n", "    if not line and not guest.name:\n"),),
    ),
    "strips_lines": Broken(
        "finds the lines in the stream",
        "Takes away the spaces at both ends of a line.",
        (change('line.removesuffix(b"\\r")', "line.strip()"),),
    ),
    "removes_every_return": Broken(
        "finds the lines in the stream",
        "Takes away every \\r, also in the middle of a line.",
        (change('line.removesuffix(b"\\r")', 'line.replace(b"\\r", b"")'),),
    ),
    # 5
    "waits_for_the_name": Broken(
        "waits for nobody",
        "Receives a name before it goes on to the next client.",
        (
            change(
                WELCOME,
                "                    conn.sock.setblocking(True)\n"
                '                    conn.sock.sendall(b"name?\\n")\n'
                '                    name = b""\n'
                '                    while more := name[-1:] != b"\\n" and conn.sock.recv(1):\n'
                "                        name += more\n"
                "                    conn.sock.setblocking(False)\n"
                "                    take(guest, name)\n",
            ),
        ),
    ),
    "tells_the_nameless": Broken(
        "waits for nobody",
        "Tells clients what is said although they have no name yet.",
        (change(OTHERS, "        if other is not guest:\n"),),
    ),
    "tells_the_nameless_who_joined": Broken(
        "waits for nobody",
        "Keeps what is said from clients without a name, but not who joined.",
        (
            change(
                OTHERS,
                '        if (other.name or text.endswith("joined")) and other is not guest:\n',
            ),
        ),
    ),
    # 6
    "dies_of_a_reset": Broken(
        "lets everybody leave",
        "Does not expect recv() to raise an error.",
        (
            override(
                "receive(self)",
                "        data = self.sock.recv(65536)\n"
                "        self.eof = not data\n"
                "        take(self, data)\n",
            ),
        ),
    ),
    "dies_of_a_broken_pipe": Broken(
        "lets everybody leave",
        "Sends at once, and does not expect send() to raise an error.",
        (
            change(
                '    guest.unsent += text.encode() + b"\\n"\n',
                '    guest.sock.send(text.encode() + b"\\n")\n',
            ),
        ),
    ),
    "sends_nothing_to_the_dead": Broken(
        "lets everybody leave",
        "Calls send() for those who are owed nothing, too: on a dead connection it raises.",
        (
            change(
                "        if guest.unsent:\n            guest.send()\n",
                '        guest.sock.sendall(guest.unsent)\n        guest.unsent = b""\n',
            ),
        ),
    ),
    "changes_the_room_while_it_walks": Broken(
        "lets everybody leave",
        "Takes clients out of the dict that it is going through.",
        (change(GONE, ON_THE_WAY),),
    ),
    "tells_of_the_nameless": Broken(
        "lets everybody leave",
        "Says that somebody left whom nobody had met.",
        (
            change(
                "            if guest.name:\n                tell",
                "            if guest:\n                tell",
            ),
        ),
    ),
    "forgets_to_close": Broken(
        "lets everybody leave",
        "Does not look for the end of input: those who left stay.",
        (change("self.eof = not data", "self.eof = False"),),
    ),
    "keeps_the_dead": Broken(
        "lets everybody leave",
        "Closes the socket, and leaves the client in the list of those who are here.",
        (
            change(
                "            del room[guest.fileno()]\n",
                "            room[-guest.fileno()] = room.pop(guest.fileno())\n"
                "            guest.eof = False\n",
            ),
            change(
                "    for guest in room.values():\n        if guest.unsent:",
                "    for guest in [one for one in room.values() if one.fileno() > 0]:\n"
                "        if guest.unsent:",
            ),
        ),
    ),
    "never_closes": Broken(
        "lets everybody leave",
        "Forgets those who left, and keeps their sockets open.",
        (
            change("LONGEST = 1000", "KEPT = []\nLONGEST = 1000"),
            change("            guest.sock.close()\n", "            KEPT.append(guest.sock)\n"),
        ),
    ),
    "tells_the_nameless_who_left": Broken(
        "lets everybody leave",
        "Keeps what is said from clients without a name, but not who left.",
        (
            change(
                OTHERS,
                '        if (other.name or text.endswith("left")) and other is not guest:\n',
            ),
        ),
    ),
}
