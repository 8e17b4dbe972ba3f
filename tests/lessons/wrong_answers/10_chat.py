"""Answers to the exercises of 10_your_server that build the chat, 1 to 6."""

HEAR = """
def hear(guest, line):
    {empty}
    if guest.name:
        {passes_on}
    {names}
    say(guest, "* here: " + ", ".join(names))
    tell_others(guest, f"* {{line}} joined")
"""
SKIPS = "if not line: return"
NAMES = """\
names = [other.name for other in guest.room.values() if other.name]
    guest.name = line"""
NAMES_LATE = """\
guest.name = line
    names = [other.name for other in guest.room.values() if other.name]"""
NAMES_OF_ALL = """\
names = [other.name for other in guest.room.values()]
    guest.name = line"""
PASSES_ON = 'tell_others(guest, f"{guest.name}: {line}"); return'


def hear(empty=SKIPS, passes_on=PASSES_ON, names=NAMES):
    return HEAR.format(empty=empty, passes_on=passes_on, names=names)


TELL_OTHERS = """
def tell_others(guest, text):
    for other in guest.room.values():
        if {}:
            say(other, text)
"""
TELLS_OTHERS = TELL_OTHERS.format("other is not guest")

SAY_NOTES = """
def say(guest, text):
    try:
        guest.sock.send(text.encode() + b"\\n")
    except OSError:
        guest.lost()
"""
LEAVE = """
def remove_those_who_left(room, poller):
    while gone := [guest for guest in room.values() if guest.eof]:
        for guest in gone:
            del room[guest.fileno()]
            poller.unregister(guest)
            {}
        for guest in gone:
            if guest.name:
                tell_others(guest, f"* {{guest.name}} left")
"""

RIGHT = {
    1: [
        """
def say(guest, text):
    guest.sock.sendall(bytes(f"{text}\\n", "utf-8"))
""",
        # By way of Connection.
        """
def say(guest, text):
    for piece in text, "\\n":
        guest.unsent += piece.encode()
    guest.send()
""",
    ],
    2: [
        """
def tell_others(guest, text):
    others = [one for one in guest.room.values() if one != guest]
    for one in others:
        say(one, text)


def hear(guest, line):
    here = ""
    for one in guest.room.values():
        if one.name is not None:
            here += ", " + one.name if here else one.name
    if line:
        say(guest, f"* here: {here}")
        guest.name = line
        tell_others(guest, f"* {guest.name} joined")
""",
        # The others by their descriptors, only those who have a name; the list sorted.
        """
def tell_others(guest, text):
    for fd in guest.room.keys() - {guest.fileno()}:
        if guest.room[fd].name:
            say(guest.room[fd], text)


def hear(guest, line):
    if line != "":
        names = sorted(filter(None, (one.name for one in guest.room.values())))
        guest.name = line
        tell_others(guest, " ".join(["*", line, "joined"]))
        say(guest, "* here: %s" % ", ".join(names))
""",
    ],
    3: [
        """
def hear(guest, line):
    if line and guest.name is not None:
        tell_others(guest, guest.name + ": " + line)
    elif line:
        names = [other.name for other in guest.room.values() if other.name]
        guest.name = line
        say(guest, "* here: " + ", ".join(names))
        tell_others(guest, f"* {line} joined")
""",
        """
def hear(guest, line):
    if line:
        (speaks if guest.name else joins)(guest, line)


def speaks(guest, line):
    tell_others(guest, "{}: {}".format(guest.name, line))


def joins(guest, name):
    names = {other.name for other in guest.room.values()} - {None}
    say(guest, "* here: " + ", ".join(names))
    guest.name = name
    tell_others(guest, f"* {name} joined")
""",
    ],
    4: [
        """
def take(guest, data):
    guest.rest += data
    while b"\\n" in guest.rest:
        line, _, guest.rest = guest.rest.partition(b"\\n")
        hear(guest, line.removesuffix(b"\\r").decode())
""",
        """
def take(guest, data):
    text, start = guest.rest + data, 0
    while (end := text.find(b"\\n", start)) >= 0:
        line = text[start:end].decode()
        start = end + 1
        hear(guest, line[:-1] if line.endswith("\\r") else line)
    guest.rest = text[start:]
""",
        """
import io


def take(guest, data):
    lines, guest.rest = io.BytesIO(guest.rest + data), b""
    for line in lines:
        if line[-1:] != b"\\n":
            guest.rest = line
        elif line[-2:] == b"\\r\\n":
            hear(guest, line[:-2].decode())
        else:
            hear(guest, line[:-1].decode())
""",
    ],
    5: [
        """
def tell_others(guest, text):
    named = {other for other in guest.room.values() if other.name}
    for other in named - {guest}:
        say(other, text)
""",
        """
def tell_others(guest, text):
    for fd, other in guest.room.items():
        if fd == guest.fileno() or other.name is None:
            continue
        say(other, text)
""",
    ],
    6: [
        # Connection.send() calls lost() itself; the function calls itself again.
        """
def say(guest, text):
    guest.unsent += text.encode() + b"\\n"
    guest.send()


def remove_those_who_left(room, poller):
    gone = []
    for fd, guest in list(room.items()):
        if guest.eof:
            poller.unregister(fd)
            del room[fd]
            guest.sock.close()
            gone.append(guest)
    for guest in gone:
        if guest.name:
            tell_others(guest, f"* {guest.name} left")
    if gone:
        remove_those_who_left(room, poller)
""",
        # close() takes it off the poller.
        """
def say(guest, text):
    line = text.encode() + b"\\n"
    try:
        guest.sock.sendall(line)
    except (BrokenPipeError, ConnectionResetError):
        guest.lost()


def remove_those_who_left(room, poller):
    while fds := {fd for fd in room if room[fd].eof}:
        left = [room.pop(fd) for fd in fds]
        for guest in left:
            guest.sock.close()
        for guest in filter(lambda guest: guest.name, left):
            tell_others(guest, "* " + guest.name + " left")
""",
    ],
}

WRONG = {
    1: [
        (
            "def say(guest, text):\n    guest.sock.send(text.encode())\n",
            "client 1  gets      nothing, after b'name?' without an end",
        ),
        (
            'def say(guest, text):\n    guest.sock.send(text + "\\n")\n',
            "the server crashed: TypeError: a bytes-like object is required, not 'str'",
        ),
        (
            'def say(guest, text):\n    guest.send(text.encode() + b"\\n")\n',
            "the server crashed: TypeError: Connection.send() takes 1 positional argument but 2",
        ),
        (
            'def say(guest, text):\n    guest.sock.send(text.encode() + b"\\r\\n")\n',
            "client 1  gets      'name?\\r'",
        ),
    ],
    2: [
        (
            hear(names=NAMES_LATE) + TELLS_OTHERS,
            "bob       gets      '* here: ann, bob'",
        ),
        (
            hear() + TELL_OTHERS.format("True"),
            "ann       gets      '* ann joined'",
        ),
        (
            hear(empty="") + TELLS_OTHERS,
            "ann       gets      '*  joined'",
        ),
        (
            hear(names=NAMES_OF_ALL) + TELLS_OTHERS,
            "the server crashed: TypeError: sequence item 0: expected str instance, NoneType found",
        ),
    ],
    3: [
        (
            hear(passes_on='tell_others(guest, f"{line}"); return'),
            "bob       gets      'hello'",
        ),
        (
            hear(
                passes_on="for other in guest.room.values(): "
                'say(other, f"{guest.name}: {line}")\n        return'
            ),
            "ann       gets      'ann: hello'",
        ),
        (
            hear(passes_on=PASSES_ON.removesuffix("; return")),
            "ann       gets      '* here: ann, bob'",
        ),
    ],
    4: [
        (
            """
def take(guest, data):
    line, end, rest = (guest.rest + data).partition(b"\\n")
    guest.rest = rest if end else line
    if end:
        hear(guest, line.decode().rstrip("\\r"))
""",
            "ann       expects   'bob:   fine, and you?'",
        ),
        (
            """
def take(guest, data):
    for line in data.splitlines():
        hear(guest, line.decode())
""",
            "ann       gets      '* b joined'",
        ),
        (
            """
def take(guest, data):
    *lines, guest.rest = (guest.rest + data).split(b"\\n")
    for line in lines:
        hear(guest, line.decode().strip())
""",
            "ann       gets      'bob: fine, and you?'",
        ),
        (
            """
def take(guest, data):
    *lines, guest.rest = (guest.rest + data).replace(b"\\r", b"").split(b"\\n")
    for line in lines:
        hear(guest, line.decode())
""",
            "ann       gets      'bob: seeyou'",
        ),
    ],
    5: [
        (
            TELLS_OTHERS,
            "client 1  expects   '* here: ann, bob, eve'",
        ),
        (
            TELL_OTHERS.format("other.name"),
            'Stage 5 opens when stage 2 holds, "tells who is here".',
        ),
        (
            TELL_OTHERS.format("guest.name and other is not guest"),
            "client 1  gets      '* ann joined'",
        ),
        (  # a line is waited for: everybody waits
            """
def take(guest, data):
    guest.sock.setblocking(True)
    while data and not data.endswith(b"\\n"):
        data += guest.sock.recv(100)
    for line in data.split(b"\\n")[:-1]:
        hear(guest, line.decode().removesuffix("\\r"))
""",
            "It held before. What you have run since then has broken it.\n\nFAIL  stage 4",
        ),
    ],
    6: [
        (
            """
def remove_those_who_left(room, poller):
    for fd, guest in room.items():
        if guest.eof:
            del room[fd]
            poller.unregister(fd)
            guest.sock.close()
            tell_others(guest, f"* {guest.name} left")
""",
            "the server crashed: RuntimeError: dictionary changed size during iteration",
        ),
        (
            """
def remove_those_who_left(room, poller):
    for guest in [guest for guest in room.values() if guest.eof]:
        del room[guest.fileno()]
        poller.unregister(guest)
        guest.sock.close()
        tell_others(guest, f"* {guest.name} left")
""",
            "ann       gets      '* None left'",
        ),
        (
            LEAVE.format("guest.sock.close()"),
            "the server crashed: ConnectionResetError: [Errno 104] Connection reset by peer",
        ),
        (
            LEAVE.format("pass") + SAY_NOTES,
            "joe       expects   the end of the connection",
        ),
    ],
}
