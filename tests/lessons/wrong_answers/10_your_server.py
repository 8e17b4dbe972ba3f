"""Answers to each exercise of 10_your_server: right ones, and wrong ones with what is said.

The exercises build on each other: each answer is given where the solutions of the earlier ones
hold, and the cells named in GIVEN.  The answers themselves are in four files beside this one.
"""

import runpy
import shutil
from pathlib import Path

CHAT, LIMITS, REDIS, STORE = (
    runpy.run_path(str(Path(__file__).with_name(f"10_{part}.py")))
    for part in ("chat", "chat_limits", "redis", "redis_store")
)

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
RIGHT = CHAT["RIGHT"] | LIMITS["RIGHT"] | REDIS["RIGHT"] | STORE["RIGHT"]
WRONG = CHAT["WRONG"] | LIMITS["WRONG"] | REDIS["WRONG"] | STORE["WRONG"]

if shutil.which("redis-cli") and shutil.which("redis-benchmark"):
    WRONG[17] += STORE["TOLD_BY_THE_REAL_TOOLS"]
else:
    UNTOUCHED[17] = 'Stage 10, "redis cli understands", was not asked: redis-cli is not installed.'
