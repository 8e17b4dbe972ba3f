"""Which line of all that a program has written says what went wrong."""

import re

TOLD_AT_MOST = 200  # characters of it that are told
FRAME = r"^[\s|+]*"  # the tree in which Python draws an ExceptionGroup
SAYS_WHY = [  # how it begins in one language or another; the first that is found counts
    r"(?:\w+[.:]+)*\w*(?:Error|Exception|Interrupt|Warning)\b(?:: .*)?$",  # Python, Node
    r"Exception in thread .*",  # Java
    r"(?:panic|fatal error): .*",  # Go
    r".* \(\w+(?:::\w+)+\)$",  # Ruby: message (Errno::ECONNRESET)
    r".*\b(?:[Ee]rror|ERROR)\b.*",
]
PANIC = re.compile(r"^thread '.*' (?:\(\d+\) )?panicked at (.*)$\n?(.*)", re.MULTILINE)  # Rust


def useful_line(text: str) -> str:
    """Of a traceback its last line, of a group the exception in it, of a panic its message; else
    the last line that is not empty.  "" if there is none."""
    if found := PANIC.findall(text):
        where, said = found[-1]
        return " ".join(f"{said.strip()} ({where.rstrip(':')})".split())[:TOLD_AT_MOST]
    for mark in SAYS_WHY:
        lines = re.findall(FRAME + f"({mark})", text, re.MULTILINE)
        lines = [line for line in lines if "ExceptionGroup" not in line] or lines
        if lines:
            return str(lines[-1]).strip()[:TOLD_AT_MOST]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:TOLD_AT_MOST] if lines else ""
