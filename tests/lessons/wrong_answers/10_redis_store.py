"""Answers to the exercises of 10_your_server that complete the tiny Redis, 14 to 17."""

WORK = """
def work(caller):
    while caller.rest{limit}:
        {before}
        try:
            words, caller.rest = next_command(caller.rest)
        except ValueError:
            {mistake}
        if words is None:
            return
        if words:
            caller.unsent += answer(words, caller.store)
        {after}
"""


def work(limit="", before="", mistake="caller.lost(); return", after=""):
    return WORK.format(limit=limit, before=before, mistake=mistake, after=after)


ANSWER = """
import time


def answer(words, store):
    match words[0]{upper}, words[1:]:
        case b"PING", []:
            return b"+PONG\\r\\n"
        case b"ECHO", [word]:
            return bulk(word)
        case b"SET", [key, value]:
            {set}
            return b"+OK\\r\\n"
        case b"SET", [key, value, unit, ms] if {px}:
            store[key] = value, time.monotonic() + int(ms) {unit}
            return b"+OK\\r\\n"
        case b"GET", [key]:
            return get(key, store)
        {more}
    return {error}


def get(key, store):
    value, ends = store.get(key, (None, None))
    if ends is not None and ends <= time.monotonic():
        value = None
    return b"$-1\\r\\n" if {missing} else bulk(value)
"""


def answer(**other):
    parts = {
        "upper": ".upper()",
        "set": "store[key] = value, None",
        "px": 'unit.upper() == b"PX" and ms.isdigit()',
        "unit": "/ 1000",
        "more": "",
        "error": 'b"-ERR unknown command, or a wrong number of words\\r\\n"',
        "missing": "value is None",
    }
    return ANSWER.format(**parts | other)


WITHOUT_TIME = """
def answer(words, store):
    match words[0].upper(), words[1:]:
        case b"PING", []:
            return b"+PONG\\r\\n"
        case b"ECHO", [word]:
            return bulk(word)
        case b"SET", [key, value]:
            store[key] = value
            return b"+OK\\r\\n"
        case b"GET", [key]:
            return bulk(store[key]) if key in store else b"$-1\\r\\n"
    return b"-ERR unknown command, or a wrong number of words\\r\\n"
"""

RIGHT = {
    14: [
        # A dict of functions.
        """
def stored(store, key, value):
    store[key] = value
    return b"+OK\\r\\n"


COMMANDS = {
    (b"PING", 0): lambda store: b"+PONG\\r\\n",
    (b"ECHO", 1): lambda store, word: bulk(word),
    (b"SET", 2): stored,
    (b"GET", 1): lambda store, key: bulk(store[key]) if key in store else b"$-1\\r\\n",
}


def answer(words, store):
    name, *arguments = words
    command = COMMANDS.get((name.upper(), len(arguments)))
    if command is None:
        return b"-ERR " + name + b" is no command, or has another number of words\\r\\n"
    return command(store, *arguments)


def work(caller):
    try:
        while True:
            words, caller.rest = next_command(caller.rest)
            if words is None:
                break
            caller.unsent += answer(words, caller.store) if words else b""
    except ValueError:
        caller.lost()
""",
        # It tries, and what goes wrong is a mistake of the client.
        """
def answer(words, store):
    try:
        return execute(words[0].lower(), words[1:], store)
    except ValueError as error:
        return b"-ERR %s\\r\\n" % str(error).encode()


def execute(name, words, store):
    if name == b"ping" and not words:
        return b"+PONG\\r\\n"
    if name == b"echo":
        (word,) = words
        return bulk(word)
    if name == b"set":
        key, store[key] = words
        return b"+OK\\r\\n"
    if name == b"get":
        (key,) = words
        value = store.get(key)
        return b"$-1\\r\\n" if value is None else bulk(value)
    raise ValueError("unknown command")


def work(caller):
    words = []
    while words is not None:
        if words:
            caller.unsent += answer(words, caller.store)
        try:
            words, caller.rest = next_command(caller.rest)
        except ValueError:
            words = caller.lost()
""",
    ],
    15: [
        # What lasts forever ends at infinity.
        """
import math
import time

ERROR = b"-ERR unknown command, or a mistake in it\\r\\n"


def answer(words, store):
    now = time.monotonic()
    match words[0].upper(), words[1:]:
        case b"PING", []:
            return b"+PONG\\r\\n"
        case b"ECHO", [word]:
            return bulk(word)
        case b"SET", [key, value, *more]:
            lasts = math.inf
            if more:
                try:
                    unit, ms = more
                    lasts = {b"PX": int(ms) / 1000}[unit.upper()]
                except (ValueError, KeyError):
                    return ERROR
            store[key] = (now + lasts, value)
            return b"+OK\\r\\n"
        case b"GET", [key]:
            ends, value = store.get(key, (0, b""))
            return bulk(value) if ends > now else b"$-1\\r\\n"
    return ERROR
""",
        # It first forgets all that is over; the ends are in a dict of their own.
        """
import time


def answer(words, store):
    ends = store.setdefault("ends", {})
    for key in [key for key, end in ends.items() if end <= time.monotonic_ns()]:
        del store[key], ends[key]
    name, *words = words
    name = name.upper()
    if name == b"PING" and words == []:
        return b"+PONG\\r\\n"
    if name == b"ECHO" and len(words) == 1:
        return bulk(*words)
    if name == b"GET" and len(words) == 1:
        return bulk(store[words[0]]) if words[0] in store else b"$-1\\r\\n"
    if name == b"SET" and len(words) == 2:
        ends.pop(words[0], None)
        store[words[0]] = words[1]
        return b"+OK\\r\\n"
    if name == b"SET" and len(words) == 4 and words[2].upper() == b"PX" and words[3].isdigit():
        ends[words[0]] = time.monotonic_ns() + int(words[3]) * 1_000_000
        store[words[0]] = words[1]
        return b"+OK\\r\\n"
    return b"-ERR " + name + b"?\\r\\n"
""",
    ],
    16: [
        """
def work(caller):
    words = []
    while words is not None and len(caller.unsent) < HIGH_WATER:
        try:
            words, caller.rest = next_command(caller.rest)
        except ValueError:
            return caller.lost()
        if words:
            caller.unsent = b"".join([caller.unsent, answer(words, caller.store)])
""",
        # A generator says which commands are to be answered now.
        """
def commands(caller):
    while True:
        if len(caller.unsent) >= HIGH_WATER:
            return
        words, caller.rest = next_command(caller.rest)
        if words is None:
            return
        yield words


def work(caller):
    try:
        for words in commands(caller):
            if words:
                caller.unsent += answer(words, caller.store)
    except ValueError:
        caller.lost()
""",
    ],
    17: [
        # Around the function that there is.
        """
def with_settings(answer):
    def settings_too(words, store):
        if [word.upper() for word in words[:2]] != [b"CONFIG", b"GET"]:
            return answer(words, store)
        pairs = [bulk(key) + bulk(b"") for key in words[2:]]
        return b"*%d\\r\\n" % (2 * len(pairs)) + b"".join(pairs)

    return settings_too


answer = with_settings(answer)
""",
        # There are no such settings.
        answer(more='case b"CONFIG", [*_]: return b"*0\\r\\n"'),
    ],
}

WRONG = {
    14: [
        (
            answer(missing="not value"),
            "client 2  expects   b'$0\\r\\n\\r\\n'\n      client 2  gets      b'$-1\\r\\n'",
        ),
        (
            answer(),
            "the server crashed: ValueError: invalid literal for int() with base 10",
        ),
        (
            WITHOUT_TIME.replace("[key]:", "[*_]:").replace(
                "bulk(store[key]) if key in", "bulk(store[words[1]]) if words[1] in"
            )
            + work(),
            "the server crashed: IndexError: list index out of range",
        ),
        (
            answer()
            + work(mistake='caller.unsent, caller.rest = b"-ERR what?\\r\\n", b""; return'),
            "client 2  expects   the end of the connection\n      client 2  gets      nothing",
        ),
        (
            answer(upper="") + work(),
            "client 2  gets      b'-ERR u'",
        ),
    ],
    15: [
        (
            answer(unit=""),
            "client 1  expects   b'$-1\\r\\n'\n      client 1  gets      b'$1\\r\\nv'",
        ),
        (
            answer(set="store[key] = value, store.get(key, (0, None))[1]"),
            "client 1  expects   b'$1\\r\\nw\\r\\n'\n      client 1  gets      b'$-1\\r\\n'",
        ),
        (
            answer(px='unit == b"PX" and ms.isdigit()'),
            "client 1  sends     SET k2 v px 60000\n      client 1  expects   b'+OK\\r\\n'",
        ),
        (
            answer(px='unit.upper() == b"PX"'),
            'Stage 7 opens when stage 6 holds, "goes on after an error".\nIt held before.',
        ),
    ],
    16: [
        (
            work(
                limit=" and len(caller.unsent) < HIGH_WATER",
                before="Caller.send = Connection.send",
            ),
            "gets      b'$1000000\\r\\nxxxxxxxxxxxxxx'... (1,000,012 bytes), then nothing",
        ),
        (
            work(
                after="caller.sock.setblocking(True); "
                "caller.sock.sendall(caller.unsent); "
                'caller.unsent = b""; '
                "caller.sock.setblocking(False)",
            ),
            "gets      nothing\n      the server is asleep in sendto, waiting for client 2",
        ),
        (
            work(limit=" and len(caller.rest) < HIGH_WATER"),
            "client 1  expects   b'+OK\\r\\n'\n      client 1  gets      nothing",
        ),
        (
            work(after="if len(caller.unsent) > HIGH_WATER: caller.lost()"),
            "expects   16 answers of a megabyte\n      client 1  gets      the end of the ",
        ),
    ],
    17: [
        (
            answer(error='b"-ERR\\r\\n"'),
            'Stage 10 opens when stage 6 holds, "goes on after an error".',
        ),
        (  # an earlier answer() is copied
            WITHOUT_TIME,
            'Stage 10 opens when stage 7 holds, "forgets in time".',
        ),
        (  # an earlier work() is copied
            work(),
            'Stage 10 opens when stage 9 holds, "serves others meanwhile".',
        ),
    ],
}
TOLD_BY_THE_REAL_TOOLS = [  # wrong answers to exercise 17
    (
        """
whole = next_command


def next_command(data):
    words, rest = whole(data)
    return words, rest if data.startswith(b"*") or words is None else b""
""",
        "redis-benchmark waits for an answer, and the server sends none",
    ),
]
