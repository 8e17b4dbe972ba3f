"""Answers to the exercises of 10_your_server that give the chat its limits, 7 to 11."""

import inspect

from echo.lab.stages.servers import chat

TAKE = """
def take(guest, data):
    {before}
    *lines, guest.rest = (guest.rest + data).split(b"\\n")
    {limit}
    for line in lines:
        try:
            hear(guest, line.decode({errors}).removesuffix("\\r"))
        except UnicodeDecodeError:
            guest.lost()
            {after}
"""


def take(before="", limit="", errors="", after="return"):
    return TAKE.format(before=before, limit=limit, errors=errors, after=after)


SAY_KEEPS = """
def say(guest, text):
    guest.unsent += text.encode() + b"\\n"
"""

SENDS_WHAT_IS_OWED = "\n" + inspect.getsource(chat.send_what_is_owed)

RIGHT = {
    7: [
        """
def take(guest, data):
    guest.rest += data
    while b"\\n" in guest.rest and not guest.eof:
        line, _, guest.rest = guest.rest.partition(b"\\n")
        try:
            text = line.decode()
        except UnicodeError:
            guest.lost()
        else:
            hear(guest, text.removesuffix("\\r"))
""",
        """
def text_of(line):
    try:
        return line.removesuffix(b"\\r").decode()
    except UnicodeDecodeError:
        return None


def take(guest, data):
    lines = (guest.rest + data).split(b"\\n")
    guest.rest = lines.pop()
    for text in map(text_of, lines):
        if text is None:
            return guest.lost()
        hear(guest, text)
""",
    ],
    8: [
        """
def take(guest, data):
    guest.rest += data
    while b"\\n" in guest.rest and not guest.eof:
        line, _, guest.rest = guest.rest.partition(b"\\n")
        line = line[:-1] if line.endswith(b"\\r") else line
        try:
            text = line.decode()
        except UnicodeDecodeError:
            guest.lost()
            continue
        if len(line) <= 1000:
            hear(guest, text)
        else:
            guest.lost()
    if len(guest.rest) > 1001:
        guest.lost()
""",
        # One kind of error for all that is wrong: a UnicodeDecodeError is a ValueError.
        """
def checked_line(line):
    line = line.removesuffix(b"\\r")
    if len(line) > 1000:
        raise ValueError("too long")
    return line


def take(guest, data):
    *lines, guest.rest = (guest.rest + data).split(b"\\n")
    try:
        for line in lines:
            hear(guest, checked_line(line).decode())
        checked_line(guest.rest)
    except ValueError:
        guest.lost()
""",
    ],
    9: [
        # It tells epoll in every turn, and sends until nothing more fits.
        """
def say(guest, text):
    guest.unsent = b"".join([guest.unsent, text.encode(), b"\\n"])


def send_what_is_owed(room, poller):
    for fd, guest in room.items():
        while guest.unsent and guest.send():
            pass
        poller.modify(fd, guest.wanted())
""",
        # It asks before it sends.
        """
def say(guest, text):
    for letters in text, "\\n":
        guest.unsent += letters.encode()


def send_what_is_owed(room, poller):
    for guest in room.values():
        if guest.unsent and guest.interest & WRITE:
            guest.send()
    for guest in room.values():
        wanted = READ | WRITE if guest.unsent else READ
        if guest.interest != wanted:
            poller.modify(guest.fileno(), wanted)
            guest.interest = wanted
""",
    ],
    10: [
        """
def say(guest, text):
    line = text.encode() + b"\\n"
    if len(guest.unsent) + len(line) > 1_000_000:
        guest.lost()
    else:
        guest.unsent += line
""",
        # The limit is where it sends, and the others are told in the next turn.
        SAY_KEEPS
        + """
MOST = 10**6


def send_what_is_owed(room, poller):
    for guest in room.values():
        guest.send()
        if len(guest.unsent) > MOST:
            guest.lost()
        if guest.wanted() != guest.interest:
            guest.interest = guest.wanted()
            poller.modify(guest, guest.interest)
""",
    ],
    11: [
        """
def send_what_is_owed(room, poller):
    for guest in [guest for guest in room.values() if guest.unsent or guest.interest != READ]:
        guest.send()
        poller.modify(guest, guest.wanted())
        guest.interest = guest.wanted()
""",
        # It asks before it sends.
        """
def send_what_is_owed(room, poller):
    for fd, guest in room.items():
        if guest.interest & WRITE:
            guest.send()
        if bool(guest.unsent) != bool(guest.interest & WRITE):
            guest.interest ^= WRITE
            poller.modify(fd, guest.interest)
""",
    ],
}

WRONG = {
    7: [
        (
            take(errors='errors="replace"'),
            "bob       expects   the end of the connection",
        ),
        (
            take(before="data = data.decode().encode()"),
            "the server crashed: UnicodeDecodeError: 'utf-8' codec can't decode byte 0xc3",
        ),
        (
            take(after="continue"),
            "ann       gets      'bob: hello?'",
        ),
        (
            """
def take(guest, data):
    try:
        *lines, rest = (guest.rest + data).decode().split("\\n")
    except UnicodeDecodeError:
        guest.lost()
        return
    guest.rest = rest.encode()
    for line in lines:
        hear(guest, line.removesuffix("\\r"))
""",
            "ann       gets      '* bob left'",
        ),
    ],
    8: [
        (
            take(
                limit='if any(len(line.rstrip(b"\\r")) > 1000 for line in lines): '
                "guest.lost(); return"
            ),
            "bob       sends     10,000 bytes without an end\n      bob       expects   the end of",
        ),
        (
            take(
                limit='if any(len(line.decode(errors="replace").rstrip("\\r")) > 1000 '
                "for line in [*lines, guest.rest]): guest.lost(); return"
            ),
            "1002 bytes, two for each letter, and b'\\n'\n      bob       expects   the end of",
        ),
        (
            take(before="if len(guest.rest + data) > 1000: guest.lost(); return"),
            "sends     a line of 1000 bytes and b'\\n'\n      ann       expects   'bob: xxx",
        ),
        (
            take(
                limit="if max(map(len, [*lines, guest.rest])) > 1000: guest.lost(); return",
            ),
            "sends     a line of 1000 bytes and b'\\r\\n'\n      ann       expects   'bob: ",
        ),
    ],
    9: [
        (
            SAY_KEEPS
            + """
def send_what_is_owed(room, poller):
    for guest in room.values():
        if guest.unsent:
            guest.send()
""",
            "late      gets      nothing",
        ),
        (
            SAY_KEEPS
            + """
def send_what_is_owed(room, poller):
    for guest in room.values():
        if guest.unsent:
            guest.send()
            guest.unsent = b""
""",
            "late reads\n      late      expects   'ann: 0",
        ),
        (
            SAY_KEEPS
            + """
def send_what_is_owed(room, poller):
    for guest in room.values():
        if guest.unsent:
            guest.sock.sendall(guest.unsent)
        guest.unsent = b""
""",
            "the server crashed: BlockingIOError: [Errno 11] Resource temporarily unavailable",
        ),
        (  # what has been asked for is never taken back
            SAY_KEEPS
            + """
def send_what_is_owed(room, poller):
    for guest in room.values():
        if guest.unsent:
            guest.send()
        if guest.unsent:
            poller.modify(guest, READ | WRITE)
""",
            "nothing happens, and yet the server is busy all the time",
        ),
        (
            """
def say(guest, text):
    guest.unsent = text.encode() + b"\\n"

"""
            + SENDS_WHAT_IS_OWED,
            "ann       expects   'bob:   fine, and you?'\n      ann       gets      'bob: bye'",
        ),
    ],
    10: [
        (
            """
def say(guest, text):
    guest.unsent += text.encode() + b"\\n"
    guest.unsent = guest.unsent[:1_000_000]
""",
            "bob       expects   '* slow left'\n      bob       gets      nothing",
        ),
        (
            """
def say(guest, text):
    if len(guest.unsent) < 1_000_000:
        guest.unsent += text.encode() + b"\\n"
""",
            "bob       expects   '* slow left'\n      bob       gets      nothing",
        ),
        (
            SAY_KEEPS
            + """
    if len(guest.unsent) > 1_000_000:
        del guest.room[guest.fileno()]
        guest.sock.close()
""",
            "the server crashed: RuntimeError: dictionary changed size during iteration",
        ),
        (
            SAY_KEEPS
            + """
    if len(guest.unsent) > 1_000_000:
        raise OSError("this client does not read")
""",
            "the server crashed: OSError: this client does not read",
        ),
    ],
    11: [
        (
            """
import contextlib


def send_what_is_owed(room, poller):
    for guest in room.values():
        guest.sock.setblocking(True)
        with contextlib.suppress(OSError):  # of a client that has just left
            guest.sock.sendall(guest.unsent)
        guest.sock.setblocking(False)
        guest.unsent = b""
""",
            'Stage 11 opens when stage 10 holds, "drops a client that never reads".',
        ),
        (  # the note is made, and epoll is not told
            """
def send_what_is_owed(room, poller):
    for guest in room.values():
        if guest.unsent:
            guest.send()
        guest.interest = guest.wanted()
""",
            'Stage 11 opens when stage 9 holds, "keeps what does not fit".\nIt held before.',
        ),
        (  # what has been asked for is never taken back
            """
def send_what_is_owed(room, poller):
    for guest in room.values():
        if guest.unsent:
            poller.modify(guest, READ | WRITE)
            guest.send()
""",
            "nothing happens, and yet the server is busy all the time",
        ),
    ],
}
