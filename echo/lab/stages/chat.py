"""The chat, in eleven stages: plain functions over sockets, each one requirement.

Most lines of the protocol can be read in the first two stages.  A client that leaves is told
to the others as `* ann left`.  An empty line is ignored.  A stage never waits to see that
nothing comes: it lets something else be said, and what must not come would have to come before
that.

The faults are those of public servers and of exercises elsewhere: irc-framework#198 and
hexchat#1852 (one recv() is one line), inspircd#768 (one line for each event), smallchat
(what write() returns), CMU 15-441 (a line without an end), Protohackers 3 (waiting for a name).
"""

from echo.lab.stages.talk import FEW_BYTES, Conversation, Speaker, Stages

CHAT_STAGES = Stages()
LONG_LINE = 1000  # bytes of a line that must be passed on, its end not counted
LINE_TOO_LONG = 10_000  # bytes without an end that no server keeps
OWED = 100_000  # bytes that a server must keep for a client that reads late
TOO_MUCH = 1_500_000  # bytes that no server keeps for one that does not read
CROWD = 200


def join(chat: Conversation, name: str) -> Speaker:
    """A client that has said its name and knows who is here."""
    guest = chat.connect()
    guest.gets("name?")
    guest.says(f"{name}\n".encode())
    guest.name = name
    guest.gets_one(lambda line: line.startswith("* here:"), "'* here: ...'")
    return guest


def gets_list(guest: Speaker, *names: str) -> None:
    """The next line says who is here; in which order is of no importance."""

    def right(line: str) -> bool:
        return line[:8] == "* here: " and sorted(line[8:].split(", ")) == sorted(names)

    guest.gets_one(right, repr(f"* here: {', '.join(names)}"))


def two(chat: Conversation) -> tuple[Speaker, Speaker]:
    """Ann and Bob, who know of each other."""
    ann, bob = join(chat, "ann"), join(chat, "bob")
    ann.gets("* bob joined")
    return ann, bob


@CHAT_STAGES()
def asks_for_a_name(chat: Conversation) -> None:
    """A client that connects gets the line `name?` before it has said anything."""
    chat.connect().gets("name?")


@CHAT_STAGES()
def tells_who_is_here(chat: Conversation) -> None:
    """The first line of a client is its name: the client gets `* here: ann, bob`, those who are
    here get `* eve joined`, and the end of the line, `\\n` or `\\r\\n`, is no part of the name; an
    empty line is no name, and who has none is not on the list."""
    ann = join(chat, "ann")
    bob = chat.connect()
    bob.gets("name?")
    bob.says(b"bob\r\n")
    bob.name = "bob"
    bob.gets("* here: ann")
    ann.gets("* bob joined")
    eve = chat.connect()
    eve.gets("name?")
    # Nobody keeps a server waiting here: whether it waits for a name is asked in a later stage.
    for nameless in eve, chat.connect():
        nameless.says(b"\n")
        chat.settle()
    eve.says(b"eve\n")
    eve.name = "eve"
    gets_list(eve, "ann", "bob")
    ann.gets("* eve joined")
    bob.gets("* eve joined")


@CHAT_STAGES()
def passes_on_what_is_said(chat: Conversation) -> None:
    """A later line goes to all the others as `ann: hello`, and not back to the speaker."""
    ann, bob = two(chat)
    ann.says(b"hello\n")
    bob.gets("ann: hello")
    bob.says(b"hi ann\n")
    ann.gets("bob: hi ann")


@CHAT_STAGES()
def finds_the_lines_in_the_stream(chat: Conversation) -> None:
    """A line may come in several pieces, and several lines may come in one piece; it is passed on
    as it came, with its spaces, and an empty line is not passed on."""
    ann = join(chat, "ann")
    bob = chat.connect()
    bob.gets("name?")
    for piece in [b"b", b"o", b"b\nhow", b" are you?\n\n  fine", b", and you?\nbye\nsee\r"]:
        bob.says(piece)
        chat.settle()
    bob.name = "bob"
    for line in ["* bob joined", "bob: how are you?", "bob:   fine, and you?", "bob: bye"]:
        ann.gets(line)
    bob.says(b"you\n")
    ann.gets("bob: see\ryou")


@CHAT_STAGES()
def waits_for_nobody(chat: Conversation) -> None:
    """A client that has sent half a name, or half a line, keeps nobody waiting; and a client
    without a name gets nothing but `name?`."""
    lunch = chat.connect()
    lunch.gets("name?")
    lunch.says(b"al")
    chat.settle()
    ann, bob = two(chat)
    ann.says(b"hel")
    chat.settle()
    bob.says(b"hello\n")
    ann.gets("bob: hello")
    eve = chat.connect()
    eve.gets("name?")
    eve.says(b"eve\n")
    eve.name = "eve"
    gets_list(eve, "ann", "bob")
    lunch.says(b"\n")
    gets_list(lunch, "ann", "bob", "eve")


@CHAT_STAGES()
def lets_everybody_leave(chat: Conversation) -> None:
    """A client leaves by close(), by a reset or by shutdown(): its socket is closed, the others get
    `* bob left`, once, and nothing about a client that had no name; and a client without a name
    gets nothing of all that."""
    ann = join(chat, "ann")
    silent = chat.connect()
    silent.gets("name?")
    for name, leave in [
        ("bob", Speaker.leaves),
        ("eve", Speaker.resets),
        ("joe", Speaker.finishes),
    ]:
        guest = join(chat, name)
        ann.gets(f"* {name} joined")
        leave(guest)
        ann.gets(f"* {name} left")
    guest.gets_the_end()  # it has not closed its own end
    nameless = chat.connect()
    nameless.gets("name?")
    nameless.resets()
    chat.settle()
    tim, tom = join(chat, "tim"), join(chat, "tom")
    ann.gets("* tim joined")
    ann.gets("* tom joined")
    with chat.busy_with_a_new_client():
        ann.says(b"is anybody here?\n")
        tim.resets()
        tom.resets()
    left = {"* tim left", "* tom left"}
    while left:
        left.discard(ann.gets_one(lambda line: line in left, "'* tim left' and '* tom left'"))
    silent.says(b"bob\n")
    silent.gets("* here: ann")


@CHAT_STAGES()
def decodes_whole_lines(chat: Conversation) -> None:
    """A character whose bytes come in two pieces is whole; a client that sends a line that is not
    UTF-8 is dropped, with whatever it sent after that; no other client is."""
    ann, bob = two(chat)
    line = "h\N{LATIN SMALL LETTER E WITH ACUTE}llo\n".encode()
    bob.says(line[:2])
    chat.settle()
    bob.says(line[2:])
    ann.gets("bob: h\N{LATIN SMALL LETTER E WITH ACUTE}llo")
    bob.says(b"\xff\xfe\nhello?\n")
    bob.gets_the_end()
    ann.gets("* bob left")
    join(chat, "eve")
    ann.gets("* eve joined")


@CHAT_STAGES()
def limits_the_length_of_a_line(chat: Conversation) -> None:
    """A line of up to 1000 bytes, its end not counted, is passed on; a client that sends a longer
    one, or 10,000 bytes without an end, is dropped, and the others get `* bob left`."""
    e = "\N{LATIN SMALL LETTER E WITH ACUTE}"
    ann, bob = two(chat)
    for line, end in [("x" * LONG_LINE, b"\n"), (e * (LONG_LINE // 2), b"\r\n")]:
        bob.note(f"sends     a line of {LONG_LINE} bytes and {end!r}")
        bob.says_quietly(line.encode() + end)
        ann.gets(f"bob: {line}")
    for what, sent in [
        (f"a line of {LONG_LINE + 1} bytes and b'\\n'", b"x" * (LONG_LINE + 1) + b"\n"),
        (
            f"a line of {LONG_LINE + 2} bytes, two for each letter, and b'\\n'",
            (e * (LONG_LINE // 2 + 1)).encode() + b"\n",
        ),
        (f"{LINE_TOO_LONG:,} bytes without an end", b"x" * LINE_TOO_LONG),
    ]:
        bob.note(f"sends     {what}")
        bob.says_quietly(sent)
        bob.gets_the_end()
        ann.gets("* bob left")
        bob = join(chat, "bob")
        ann.gets("* bob joined")


def numbered_lines(first: int, count: int) -> list[str]:
    """Numbered lines of 999 characters, so that a missing one is noticed."""
    return [f"{number:06d}{'y' * 993}" for number in range(first, first + count)]


def get_line(guest: Speaker, expected: str, but: str = "") -> bool:
    """Like gets(), but silent: there are thousands.  True if the line `but` came before it."""
    got, instead = guest.line()
    if came := bool(but) and got == but:
        guest.note(f"gets      {but!r}")
        got, instead = guest.line()
    if got != expected:
        whole = len(got) == len(expected)
        said = f"{got[:11]!r}..." + ("" if whole else f", {len(got)} characters of {len(expected)}")
        guest.expected(f"{expected[:11]!r}..., the next line", instead or said)
    return came


@CHAT_STAGES(buffer=FEW_BYTES)
def keeps_what_does_not_fit(chat: Conversation) -> None:
    """A client that reads late gets every line, whole and in order: send() may take a part, and
    the rest is kept and sent when there is room; who slept before sleeps again after that."""
    ann, late = join(chat, "ann"), join(chat, "late")
    ann.gets("* late joined")
    slept = not chat.doing()  # whether it sleeps at all is asked in the last stage
    chat.lines.append("late does not read; ann says many lines of 1000 bytes")
    said: list[str] = []
    most = chat.server.can_send + chat.server.can_receive + TOO_MUCH
    while len(said) * 1005 < most:
        new = numbered_lines(len(said), 50)
        told = ann.says_meanwhile("".join(f"{line}\n" for line in new).encode())
        said += new
        told.join(0.5)
        chat.settle(0.5)
        if told.is_alive() or len(said) * 1005 - late.waiting_in_kernel() > OWED:
            break
    chat.lines.append("late reads")
    for line in said:
        get_line(late, f"ann: {line}")
    told.join()
    ann.says(b"did you get all that?\n")
    late.gets("ann: did you get all that?")
    if slept:
        chat.expect_asleep()


@CHAT_STAGES(buffer=FEW_BYTES)
def drops_a_client_that_never_reads(chat: Conversation) -> None:
    """A client that does not read stops nobody, and is dropped when it is owed more than a
    megabyte; the others get every line, whole and in order."""
    ann, bob = two(chat)
    slow = join(chat, "slow")
    ann.gets("* slow joined")
    bob.gets("* slow joined")
    chat.lines.append("slow does not read; ann says many lines of 1000 bytes; bob reads")
    left, said, owed = False, 0, 0
    while not left and owed < TOO_MUCH:
        new = numbered_lines(said, 50)
        ann.says_quietly("".join(f"{line}\n" for line in new).encode())
        for line in new:
            left |= get_line(bob, f"ann: {line}", but="* slow left")
        said += len(new)
        owed = said * 1005 - slow.waiting_in_kernel()
        if owed >= TOO_MUCH:
            chat.settle()  # it may be about to hand over more, in another thread
            owed = said * 1005 - slow.waiting_in_kernel()
    if not left:
        bob.gets("* slow left")
    ann.gets("* slow left")


@CHAT_STAGES()
def serves_two_hundred(chat: Conversation) -> None:
    """Two hundred clients get what one of them says; and when all is said, the server sleeps."""
    chat.patience = 15.0  # forty thousand lines, on a machine that may be busy
    guests = [chat.connect() for _ in range(CROWD)]
    chat.lines = [f"{CROWD} clients connect, and each says its name"]
    for number, guest in enumerate(guests):
        guest.name = f"guest {number}"
        guest.says_quietly(f"{guest.name}\n".encode())
    for guest in guests:
        line, instead = guest.line()
        if line != "name?":
            guest.expected("'name?'", instead or line)
    for guest in guests:  # until all are here: what is said before is not for all
        while not (line := next_of(guest, "'* here: ...'")).startswith("* here:"):
            pass
    guests[7].says(b"hello\n")
    for guest in guests[:7] + guests[8:]:
        while (line := next_of(guest, "'guest 7: hello'")).startswith("* "):
            pass  # those who are here, and those who joined
        if line != "guest 7: hello":
            guest.expected("'guest 7: hello'", repr(line))
    chat.expect_asleep()


def next_of(guest: Speaker, called: str) -> str:
    line, instead = guest.line()
    if instead:
        guest.expected(called, instead)
    return line
