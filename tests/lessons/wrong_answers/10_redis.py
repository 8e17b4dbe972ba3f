"""Answers to the exercises of 10_your_server that build the tiny Redis, 12 and 13."""

import inspect

from echo.lab.stages.servers import tiny_redis

WORK = """
def work(caller):
    while caller.rest:
        words, caller.rest = next_command(caller.rest)
        if words is None:
            return
        if words:
            caller.unsent += answer(words, caller.store)
        {}
"""
ECHO = """
def bulk(word):
    return b"$%d\\r\\n%s\\r\\n" % ({length}, word)


def answer(words, store):
    return bulk(words[1]) if words[1:] else b"+PONG\\r\\n"
"""
NEXT_COMMAND = "\n" + inspect.getsource(tiny_redis.next_command)
ECHOES = ECHO.format(length="len(word)")

PING = """
def answer(words, store):
    return {}
"""
PONG = PING.format('b"+PONG\\r\\n"')
LOOP = """
def redis(listener):
    listener.setblocking(False)
    callers, store = {{}}, {{}}
    poller = select.epoll()
    poller.register(listener, READ)
    while True:
        for fd, event in poller.poll():
            if fd == listener.fileno():
                for conn in accept_all(listener):
                    callers[conn.fileno()] = {caller}
                    poller.register(conn, READ)
                continue
            caller = callers[fd]
            if event & READ:
                caller.receive()
            {sends}
            if not caller.wanted():
                del callers[fd]
                poller.unregister(fd)
                caller.sock.close()
"""


def loop(caller="Caller(conn.sock, store)", sends="if caller.unsent: caller.send()"):
    return LOOP.format(caller=caller, sends=sends)


RIGHT = {
    12: [
        # It tells epoll in every turn.
        """
def answer(words, store):
    if words[0].upper() == b"PING":
        return b"+PONG\\r\\n"
    return b"-ERR unknown command\\r\\n"


def redis(listener):
    listener.setblocking(False)
    callers, store = {}, dict()
    with select.epoll() as poller:
        poller.register(listener, READ)
        while True:
            for fd, event in poller.poll():
                caller = callers.get(fd)
                if caller is None:
                    new = [Caller(conn.sock, store) for conn in accept_all(listener)]
                    for caller in new:
                        poller.register(caller, READ)
                    callers |= {caller.fileno(): caller for caller in new}
                    continue
                if event & ~WRITE:
                    caller.receive()
                caller.send()
                if wanted := caller.wanted():
                    poller.modify(caller, wanted)
                else:
                    poller.unregister(caller)
                    callers.pop(fd).sock.close()
""",
        # With the module of the standard library.
        """
import selectors


def answer(words, store):
    return {b"PING": b"+PONG\\r\\n"}[words[0].upper()]


def redis(listener):
    listener.setblocking(False)
    store, selector = {}, selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, event in selector.select():
            caller = key.data
            if caller is None:
                for conn in accept_all(listener):
                    selector.register(conn, selectors.EVENT_READ, Caller(conn.sock, store))
                continue
            if event & selectors.EVENT_READ:
                caller.receive()
            if caller.unsent:
                caller.send()
            events = selectors.EVENT_READ * bool(caller.wanted() & READ)
            events |= selectors.EVENT_WRITE * bool(caller.wanted() & WRITE)
            if events:
                selector.modify(key.fileobj, events, caller)
            else:
                selector.unregister(key.fileobj)
                caller.sock.close()
""",
    ],
    13: [
        # It keeps its place in the bytes, and cuts nothing off.
        """
def next_command(data):
    at = data.find(b"\\n") + 1
    if at == 0:
        return None, data
    if data[:1] != b"*":
        return data[:at].split(), data[at:]
    words = []
    for _ in range(int(data[1:at])):
        begin = data.find(b"\\n", at) + 1
        if begin == 0:
            return None, data
        end = begin + int(data[at + 1 : begin])
        at = end + 2
        if at > len(data):
            return None, data
        words.append(data[begin:end])
    return words, data[at:]


def work(caller):
    words, caller.rest = next_command(caller.rest)
    while words is not None:
        if words:
            caller.unsent += answer(words, caller.store)
        words, caller.rest = next_command(caller.rest)


def answer(words, store):
    name = words[0].upper()
    if name == b"PING" and len(words) == 1:
        return b"+PONG\\r\\n"
    if name == b"ECHO" and len(words) == 2:
        return b"$" + str(len(words[1])).encode() + b"\\r\\n" + words[1] + b"\\r\\n"
    return b"-ERR unknown command\\r\\n"
""",
        # It reads as from a file, and what is missing is an error.
        """
import io


def read_line(file):
    line = file.readline()
    if not line.endswith(b"\\n"):
        raise EOFError
    return line


def read_word(file):
    size = int(read_line(file).strip()[1:])
    word = file.read(size + 2)
    if len(word) < size + 2:
        raise EOFError
    return word.removesuffix(b"\\r\\n")


def next_command(data):
    file = io.BytesIO(data)
    try:
        line = read_line(file)
        if line.startswith(b"*"):
            words = [read_word(file) for _ in range(int(line[1:]))]
        else:
            words = line.split()
    except EOFError:
        return None, data
    return words, file.read()


def work(caller):
    answers = []
    while True:
        words, caller.rest = next_command(caller.rest)
        if words is None:
            break
        if words != []:
            answers.append(answer(words, caller.store))
    caller.unsent += b"".join(answers)


def answer(words, store):
    match words:
        case [name] if name.upper() == b"PING":
            return b"+PONG\\r\\n"
        case [name, word] if name.upper() == b"ECHO":
            return b"\\r\\n".join([b"$%d" % len(word), word, b""])
""",
    ],
}

WRONG = {
    12: [
        (
            PING.format('b"+PONG\\n"') + loop(),
            "client 1  expects   b'+PONG\\r\\n'",
        ),
        (
            PING.format('"+PONG\\r\\n"') + loop(),
            "the server crashed: TypeError: can't concat str to bytes",
        ),
        (
            PONG + loop(sends=""),
            "client 1  gets      nothing",
        ),
        (  # the echo server as it was
            PONG + loop(caller="conn"),
            "client 1  gets      b'*1\\r\\n$4\\r'",
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
            + ECHOES
            + WORK.format(""),
            "client 1  gets      b'$1\\r\\na\\r\\n+PO'",
        ),
        (
            ECHOES + WORK.format("return"),
            "client 1  gets      b'$3\\r\\none\\r\\n', then nothing",
        ),
        (  # the beginning of a command is thrown away
            NEXT_COMMAND.replace("return None, data", "return None, rest")
            + ECHOES
            + WORK.format(""),
            "client 1  sends     ECHO 'hello world!', a byte at a time\n      client 1  expects   ",
        ),
        (
            NEXT_COMMAND + ECHO.format(length="len(word.decode())") + WORK.format(""),
            "the server crashed: UnicodeDecodeError: 'utf-8' codec can't decode byte 0x80",
        ),
    ],
}
