"""Broken Redis servers: each is the reference with one common mistake, and names its stage."""

from echo.lab.stages.servers.broken_chat import Broken
from echo.lab.zoo.changes import Change


def change(old: str, new: str) -> Change:
    return Change("lab.stages.servers.tiny_redis", old, new)


NEXT = """\
    line, end, rest = data.partition(b"\\n")
    if not end:
        return None, data
    if not line.startswith(b"*"):
"""
BY_LINES = """\
    parts = data.split(b"\\r\\n")
    count = int(parts[0][1:]) if parts[0][:1] == b"*" and len(parts) > 1 else 0
    if count:
        if len(parts) <= 2 * count + 1:
            return None, data
        return parts[2 : 2 * count + 1 : 2], b"\\r\\n".join(parts[2 * count + 1 :])
"""
UNKNOWN = '    return b"-ERR unknown command, or a wrong number of words\\r\\n"\n'
REGISTER = "                    poller.register(conn, READ)\n"
CONFIG = """\
        case b"CONFIG", [_, key]:
            return b"*2\\r\\n" + bulk(key) + bulk(b"")
"""
LOOP = "    while caller.rest and len(caller.unsent) < HIGH_WATER:\n"
STOP = "        if words is None:\n            return\n"


def override(name: str, body: str) -> Change:
    """A method of Connection that the caller does in another way."""
    return change("\n\n\ndef serve(", f"\n\n    def {name}:\n{body}\n\ndef serve(")


REDIS: dict[str, Broken] = {
    # 1
    "pong_without_a_return": Broken(
        "answers ping",
        "Ends its answers with \\n.",
        (change('b"+PONG\\r\\n"', 'b"+PONG\\n"'),),
    ),
    "knows_no_typed_commands": Broken(
        "answers ping",
        "Understands lists of words only.",
        (change("        return line.split(), rest\n", "        return [b'?'], rest\n"),),
    ),
    "answers_once": Broken(
        "answers ping",
        "Closes the connection after one answer.",
        (
            change(
                "            caller.unsent += answer(words, caller.store)\n",
                "            caller.unsent += answer(words, caller.store)\n"
                "            caller.eof = True\n",
            ),
        ),
    ),
    # 2
    "answers_one_for_each_recv": Broken(
        "answers every command of a piece",
        "Answers one command for each recv(); the others wait for the next event.",
        (
            change(LOOP, "    for _ in range(bool(caller.rest)):\n"),
            change("        work(self)  # perhaps there is room again\n", ""),
        ),
    ),
    "forgets_what_came_behind": Broken(
        "answers every command of a piece",
        "Throws away what came in one piece with a command.",
        (change("        if words:\n", "        caller.rest = b''\n        if words:\n"),),
    ),
    "answers_in_the_wrong_order": Broken(
        "answers every command of a piece",
        "Puts a new answer in front of those that are still owed.",
        (
            change(
                "caller.unsent += answer(words, caller.store)",
                "caller.unsent = answer(words, caller.store) + caller.unsent",
            ),
        ),
    ),
    # 3
    "forgets_half_a_command": Broken(
        "puts pieces together",
        "Begins again with each piece.",
        (
            change(
                STOP,
                "        if words is None:\n            caller.rest = b''\n            return\n",
            ),
        ),
    ),
    "believes_half_a_number": Broken(
        "puts pieces together",
        "Reads the number of words before the end of that line has come.",
        (
            change(
                "    if not end:\n        return None, data\n    if not line.st",
                "    if not line.st",
            ),
        ),
    ),
    "takes_what_there_is": Broken(
        "puts pieces together",
        "Takes as much of a word as has come.",
        (change("        if not end or len(rest) < size + 2:\n", "        if not end:\n"),),
    ),
    # 4
    "splits_at_the_ends_of_lines": Broken(
        "counts bytes",
        "Splits a command at \\r\\n, and ignores the lengths.",
        (change(NEXT, BY_LINES + NEXT),),
    ),
    "takes_empty_for_missing": Broken(
        "counts bytes",
        "Takes an empty word for one that has not come yet.",
        (change("len(rest) < size + 2:", "len(rest) < size + 2 or not size:"),),
    ),
    "answers_with_text": Broken(
        "counts bytes",
        "Decodes words, and counts characters.",
        (
            change(
                '    return b"$%d\\r\\n%s\\r\\n" % (len(word), word)\n',
                '    return b"$%d\\r\\n%s\\r\\n" % (len(word.decode(errors="replace")), word)\n',
            ),
            change(
                "            return bulk(word)\n",
                "            return bulk(word.decode(errors='replace').encode())\n",
            ),
        ),
    ),
    # 5
    "keeps_a_store_for_each": Broken(
        "remembers",
        "Gives each client a store of its own.",
        (change("Caller(conn.sock, store)", "Caller(conn.sock, {})"),),
    ),
    "knows_capitals_only": Broken(
        "remembers",
        "Does not know `get`.",
        (change("match words[0].upper(), words[1:]:", "match words[0], words[1:]:"),),
    ),
    "takes_empty_for_never_set": Broken(
        "remembers",
        "Answers $-1 for an empty value.",
        (change("if value is None else bulk(value)", "if not value else bulk(value)"),),
    ),
    "answers_empty_for_never_set": Broken(
        "remembers",
        "Answers $0 for a key that was never set.",
        (change('b"$-1\\r\\n"', 'b"$0\\r\\n\\r\\n"'),),
    ),
    # 6
    "dies_of_an_unknown_command": Broken(
        "goes on after an error",
        "Raises an error for a command that it does not know.",
        (change(UNKNOWN, "    raise KeyError(words[0])\n"),),
    ),
    "hangs_up_after_an_error": Broken(
        "goes on after an error",
        "Ends a client that has made a mistake.",
        (
            change(UNKNOWN, "    raise ValueError\n"),
            change(
                "        if words:\n            caller.unsent += answer(words, caller.store)\n",
                "        try:\n"
                "            if words:\n"
                "                caller.unsent += answer(words, caller.store)\n"
                "        except ValueError:\n"
                "            caller.lost()\n",
            ),
        ),
    ),
    "is_silent_about_errors": Broken(
        "goes on after an error",
        "Does not answer what it does not know.",
        (change(UNKNOWN, "    return b''\n"),),
    ),
    "dies_of_a_time_that_is_no_number": Broken(
        "goes on after an error",
        "Expects every client to send a number after PX.",
        (change(" and ms.isdigit()", ""),),
    ),
    "dies_of_a_length_that_is_no_number": Broken(
        "goes on after an error",
        "Expects every client to keep to the protocol.",
        (change("        except ValueError:  #", "        except ZeroDivisionError:  #"),),
    ),
    "goes_on_where_nothing_can_be_found": Broken(
        "goes on after an error",
        "Answers what is no command with an error, and takes what follows for the next one.",
        (
            change(
                "            caller.lost()\n            return\n        if words is",
                '            caller.unsent += b"-ERR Protocol error\\r\\n"\n'
                '            caller.rest = b""\n'
                "            return\n"
                "        if words is",
            ),
        ),
    ),
    # 7
    "never_forgets": Broken(
        "forgets in time",
        "Accepts PX, and does nothing about it.",
        (change("if ends is not None and ends <= time.monotonic():", "if False:"),),
    ),
    "takes_milliseconds_for_seconds": Broken(
        "forgets in time",
        "Waits a thousand times too long.",
        (change("int(ms) / 1000", "int(ms)"),),
    ),
    "sleeps_until_it_is_time": Broken(
        "forgets in time",
        "Waits until the time is over, and then answers the client that has set it.",
        (
            change(
                "            store[key] = value, time.monotonic() + int(ms) / 1000\n",
                "            for _ in range(int(ms)):\n                time.sleep(0.001)\n",
            ),
        ),
    ),
    "keeps_the_time_of_an_old_value": Broken(
        "forgets in time",
        "Lets a new value end at the time of the one before.",
        (
            change(
                "            store[key] = value, None\n",
                "            store[key] = value, store.get(key, (None, None))[1]\n",
            ),
        ),
    ),
    "looks_again_and_again": Broken(
        "forgets in time",
        "Waits with a timeout of a millisecond, and looks at the clock.",
        (change("poller.poll()", "poller.poll(0.001)"),),
    ),
    # 8
    "leaves_commands_lying": Broken(
        "answers more than it keeps",
        "Stops answering when it owes much, and goes on when more commands come.",
        (change("        work(self)  # perhaps there is room again\n", ""),),
    ),
    "forgets_the_rest": Broken(
        "answers more than it keeps",
        "Does not look at what send() returns.",
        (
            override(
                "send(self)", '        self.sock.send(self.unsent)\n        self.unsent = b""\n'
            ),
        ),
    ),
    "waits_for_a_reader_by_itself": Broken(
        "answers more than it keeps",
        "Keeps the rest, and does not ask to be told when there is room.",
        (override("wanted(self)", "        return 0 if self.eof else READ\n"),),
    ),
    # 9
    "sendall": Broken(
        "serves others meanwhile",
        "Sends with sendall(), on a blocking socket.",
        (
            change("import select\n", "import contextlib\nimport select\n"),
            override(
                "send(self)",
                "        self.sock.setblocking(True)\n"
                "        with contextlib.suppress(OSError):\n"
                "            self.sock.sendall(self.unsent)\n"
                '        self.unsent = b""\n'
                "        self.sock.setblocking(False)\n"
                "        work(self)\n",
            ),
        ),
    ),
    "tries_until_it_fits": Broken(
        "serves others meanwhile",
        "Calls send() again and again until nothing is left.",
        (change("            if caller.unsent:\n", "            while caller.unsent:\n"),),
    ),
    "serves_one_after_the_other": Broken(
        "serves others meanwhile",
        "Serves no other client while one of them is owed something.",
        (
            change(
                "            caller = callers[fd]\n",
                "            caller = callers[fd]\n"
                "            if any(one.unsent for one in callers.values() if one is not caller):\n"
                "                continue\n",
            ),
        ),
    ),
    "keeps_all_answers": Broken(
        "serves others meanwhile",
        "Answers all commands at once, and keeps what the client does not read.",
        (change(LOOP, "    while caller.rest:\n"),),
    ),
    "never_takes_back_what_it_asked_for": Broken(
        "serves others meanwhile",
        "Goes on asking for writability when all has been sent.",
        (change("elif caller.wanted() != caller", "elif caller.wanted() > caller"),),
    ),
    # 10
    "says_err_without_a_reason": Broken(
        "redis cli understands",
        "Answers errors in a way that no program can read.",
        (change(UNKNOWN, '    return b"-ERR \\r\\n"\n'),),
    ),
    "hangs_up_on_what_is_not_ascii": Broken(
        "redis cli understands",
        "Drops a client whose value is no ASCII.",
        (
            change(
                "            store[key] = value, None\n",
                "            if not value.isascii():\n"
                "                raise SystemExit\n"
                "            store[key] = value, None\n",
            ),
        ),
    ),
    "dies_when_a_client_has_finished": Broken(
        "redis cli understands",
        "Takes the end of input for an error.",
        (
            change(
                "        self.eof = not data\n",
                "        if not data:\n            raise EOFError\n",
            ),
        ),
    ),
    # 11
    "serves_thirty": Broken(
        "redis benchmark is satisfied",
        "Stops accepting at thirty clients.",
        (
            change(
                "            if fd == listener.fileno():\n",
                "            if fd == listener.fileno() and len(callers) >= 30:\n"
                "                poller.modify(listener, 0)\n"
                "            elif fd == listener.fileno():\n",
            ),
            change(REGISTER, REGISTER + "                    break\n"),
        ),
    ),
    "forgets_what_was_typed_behind": Broken(
        "redis benchmark is satisfied",
        "Takes one typed command, and throws away those that came with it.",
        (change("        return line.split(), rest\n", "        return line.split(), b''\n"),),
    ),
    "dies_of_config": Broken(
        "redis benchmark is satisfied",
        "Does not expect what redis-benchmark asks first.",
        (change(CONFIG, '        case b"CONFIG", _:\n            raise NotImplementedError\n'),),
    ),
}
