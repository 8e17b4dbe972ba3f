"""Wrong answers to each exercise of 10_your_server, and what the learner is told.

The exercises build on each other: each answer is given where the solutions of the earlier ones
hold, and the cells named in GIVEN.
"""

import shutil

GIVEN = [
    "room-guest-class",
    "room-serve",
    "room-functions",
    "redis-caller-class",
    "redis-functions",
]

# What the check says where there is no stub, because an earlier function is to be changed.
UNTOUCHED = {
    3: "FAIL  stage 3, passes on what is said",
    4: "FAIL  stage 4, finds the lines in the stream",
    5: "FAIL  stage 5, waits for nobody",
    7: "FAIL  stage 7, decodes whole lines",
    8: "FAIL  stage 8, limits the length of a line",
    10: "FAIL  stage 10, drops a client that never reads",
    11: 'Right. "serves two hundred" holds.',
    14: "FAIL  stage 5, remembers",
    15: "FAIL  stage 7, forgets in time",
    16: "FAIL  stage 9, serves others meanwhile",
    17: 'Right. "redis cli understands" and "redis benchmark is satisfied" hold.',
}

HEAR = """
def hear(guest, line):
    if not line:
        return
    if guest.name:
        {passes_on}
        return
    {names}
    say(guest, "* here: " + ", ".join(names))
    tell_others(guest, f"* {{line}} joined")
"""
NAMES = """\
names = [other.name for other in guest.room.values() if other.name]
    guest.name = line"""
NAMES_LATE = """\
guest.name = line
    names = [other.name for other in guest.room.values() if other.name]"""
PASSES_ON = 'tell_others(guest, f"{guest.name}: {line}")'

TELL_OTHERS = """
def tell_others(guest, text):
    for other in guest.room.values():
        if {condition}:
            say(other, text)
"""

TAKE = """
def take(guest, data):
    {before}
    *lines, guest.rest = (guest.rest + data).split(b"\\n")
    {limit}
    for line in lines:
        try:
            hear(guest, line.decode({errors}).rstrip("\\r"))
        except UnicodeDecodeError:
            guest.lost()
            return
"""

WORK = """
def work(caller):
    while caller.rest{limit}:
        {before}
        try:
            words, caller.rest = next_command(caller.rest)
        except ValueError:
            caller.lost()
            return
        if words is None:
            return
        if words:
            caller.unsent += answer(words, caller.store)
        {after}
"""
ECHO = """
def bulk(word):
    return b"$%d\\r\\n%s\\r\\n" % (len(word), word)


def answer(words, store):
    return bulk(words[1]) if words[1:] else b"+PONG\\r\\n"
"""
LOOP = """

def redis(listener):
    listener.setblocking(False)
    callers, store = {}, {}
    poller = select.epoll()
    poller.register(listener, READ)
    while True:
        for fd, event in poller.poll():
            if fd == listener.fileno():
                for conn in accept_all(listener):
                    callers[conn.fileno()] = Caller(conn.sock, store)
                    poller.register(conn, READ)
                continue
            caller = callers[fd]
            if event & READ:
                caller.receive()
            if caller.unsent:
                caller.send()
            if not caller.wanted():
                del callers[fd]
                poller.unregister(fd)
                caller.sock.close()
"""

ANSWER = """
def answer(words, store):
    match words[0].upper(), words[1:]:
        case b"PING", []:
            return b"+PONG\\r\\n"
        case b"ECHO", [word]:
            return bulk(word)
        case b"SET", [key, value]:
            {set}
            return b"+OK\\r\\n"
        case b"SET", [key, value, unit, ms] if unit.upper() == b"PX" and ms.isdigit():
            store[key] = value, time.monotonic() + int(ms) {unit}
            return b"+OK\\r\\n"
        case b"GET", [key]:
            return get(key, store)
    return {error}


def get(key, store):
    value, ends = store.get(key, (None, None))
    if ends is not None and ends <= time.monotonic():
        value = None
    return b"$-1\\r\\n" if {missing} else bulk(value)
"""
SET = "store[key] = value, None"
ERROR = 'b"-ERR unknown command, or a wrong number of words\\r\\n"'

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
    ],
    2: [
        (
            HEAR.format(passes_on=PASSES_ON, names=NAMES_LATE)
            + TELL_OTHERS.format(condition="other is not guest"),
            "bob       gets      '* here: ann, bob'",
        ),
        (
            HEAR.format(passes_on=PASSES_ON, names=NAMES) + TELL_OTHERS.format(condition="True"),
            "ann       gets      '* ann joined'",
        ),
    ],
    3: [
        (
            HEAR.format(passes_on='tell_others(guest, f"{line}")', names=NAMES),
            "bob       gets      'hello'",
        ),
        (
            HEAR.format(passes_on=f'{PASSES_ON}; say(guest, "ann: hello")', names=NAMES),
            "ann       gets      'ann: hello'",
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
    ],
    5: [
        (
            TELL_OTHERS.format(condition="other is not guest"),
            "client 1  expects   '* here: ann, bob, eve'",
        ),
        (
            TELL_OTHERS.format(condition="other.name"),
            'Stage 5 opens when stage 2 holds, "tells who is here".',
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
    ],
    7: [
        (
            TAKE.format(before="", limit="", errors='errors="replace"'),
            "bob       expects   the end of the connection",
        ),
        (
            TAKE.format(before="data = data.decode().encode()", limit="", errors=""),
            "the server crashed: UnicodeDecodeError: 'utf-8' codec can't decode byte 0xc3",
        ),
    ],
    8: [
        (
            TAKE.format(
                before="",
                limit='if any(len(line.rstrip(b"\\r")) > 1000 for line in lines): '
                "guest.lost(); return",
                errors="",
            ),
            "bob       sends     10,000 bytes without an end",
        ),
        (
            TAKE.format(
                before="",
                limit='if any(len(line.decode(errors="replace")) > 1001 '
                "for line in [*lines, guest.rest]): guest.lost(); return",
                errors="",
            ),
            "bob       sends     a line of 1001 bytes and b'\\n'",
        ),
        (
            TAKE.format(
                before="if len(guest.rest + data) > 1000: guest.lost(); return",
                limit="",
                errors="",
            ),
            "ann       gets      '* bob left'",
        ),
    ],
    9: [
        (
            """
def say(guest, text):
    guest.unsent += text.encode() + b"\\n"


def send_what_is_owed(room, poller):
    for guest in room.values():
        if guest.unsent:
            guest.send()
""",
            "late      gets      nothing",
        ),
        (
            """
def say(guest, text):
    guest.unsent += text.encode() + b"\\n"


def send_what_is_owed(room, poller):
    for guest in room.values():
        if guest.unsent:
            guest.send()
            guest.unsent = b""
""",
            "FAIL  stage 9, keeps what does not fit",
        ),
    ],
    10: [
        (
            """
def say(guest, text):
    guest.unsent += text.encode() + b"\\n"
    guest.unsent = guest.unsent[:1_000_000]
""",
            "bob       expects   '* slow left'",
        ),
        (
            """
def say(guest, text):
    if len(guest.unsent) < 1_000_000:
        guest.unsent += text.encode() + b"\\n"
""",
            "bob       expects   '* slow left'",
        ),
    ],
    11: [
        (
            """
def send_what_is_owed(room, poller):
    for guest in room.values():
        if guest.unsent:
            guest.send()
        poller.modify(guest, READ | WRITE)
""",
            "nothing happens, and yet the server is busy all the time",
        ),
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
    ],
    12: [
        (
            'def answer(words, store):\n    return b"+PONG\\n"\n' + LOOP,
            "client 1  expects   b'+PONG\\r\\n'",
        ),
        (
            'def answer(words, store):\n    return "+PONG\\r\\n"\n' + LOOP,
            "the server crashed: TypeError: can't concat str to bytes",
        ),
    ],
    13: [
        (
            """
def next_command(data):
    parts = data.split(b"\\r\\n")
    if not data.startswith(b"*"):
        return data.split(), b""
    count = int(parts[0][1:]) if len(parts) > 1 else 1000
    if len(parts) < 2 * count + 2:
        return None, data
    return parts[2 : 2 * count + 1 : 2], b"\\r\\n".join(parts[2 * count + 1 :])

"""
            + ECHO
            + WORK.format(limit="", before="", after=""),
            "FAIL  stage 4, counts bytes",
        ),
        (
            ECHO + WORK.format(limit="", before="", after="return"),
            "FAIL  stage 2, answers every command of a piece",
        ),
    ],
    14: [
        (
            """
import time
"""
            + ANSWER.format(set=SET, unit="/ 1000", error=ERROR, missing="not value"),
            "client 2  expects   b'$0\\r\\n\\r\\n'",
        ),
        (
            """
import time
"""
            + ANSWER.format(set=SET, unit="/ 1000", error=ERROR, missing="value is None"),
            "the server crashed: ValueError: invalid literal for int() with base 10",
        ),
    ],
    15: [
        (
            ANSWER.format(set=SET, unit="", error=ERROR, missing="value is None"),
            "client 1  gets      b'$1\\r\\nv'",
        ),
        (
            ANSWER.format(
                set="store[key] = value, store.get(key, (0, None))[1]",
                unit="/ 1000",
                error=ERROR,
                missing="value is None",
            ),
            "client 1  gets      b'$-1\\r\\n'",
        ),
    ],
    16: [
        (
            WORK.format(
                limit=" and len(caller.unsent) < HIGH_WATER",
                before="Caller.send = Connection.send",
                after="",
            ),
            "FAIL  stage 8, answers more than it keeps",
        ),
        (
            WORK.format(
                limit="",
                before="",
                after="caller.sock.setblocking(True); "
                "caller.sock.sendall(caller.unsent); "
                'caller.unsent = b""; '
                "caller.sock.setblocking(False)",
            ),
            "FAIL  stage 9, serves others meanwhile",
        ),
    ],
    17: [
        (
            ANSWER.format(set=SET, unit="/ 1000", error='b"-ERR\\r\\n"', missing="value is None"),
            'Stage 10 opens when stage 6 holds, "goes on after an error".',
        ),
        (
            """
whole = next_command


def next_command(data):
    words, rest = whole(data)
    return words, rest if data.startswith(b"*") or words is None else b""
""",
            "FAIL  stage 11, redis benchmark is satisfied",
        ),
    ],
}
if not (shutil.which("redis-cli") and shutil.which("redis-benchmark")):
    UNTOUCHED[17] = 'Stage 10, "redis cli understands", was not asked: redis-cli is not installed.'
    WRONG[17][1:] = []
