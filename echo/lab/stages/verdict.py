"""Put the stages to a server, in their order, until one does not hold.

check_stage("chat", 4, serve)         # in a notebook: up to the fourth stage
judge("chat", lambda stage: start(serve, buffer=stage.buffer))
python -m echo.lab.stages chat --help # in a terminal: a file, or any command
"""

import json
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from echo.lab.conformance import Failed, is_stub
from echo.lab.conformance.verdict import DEAF
from echo.lab.display import say
from echo.lab.run.process import NotAsked, Process
from echo.lab.run.server import Server, checked, start
from echo.lab.stages import chat, tiny_redis
from echo.lab.stages.talk import Conversation, Stage

STAGES_OF: dict[str, list[Stage]] = {"chat": chat.CHAT_STAGES, "redis": tiny_redis.REDIS_STAGES}
WIDTH = 94
_HELD: set[Stage] = set()  # in this process, so that a change which breaks one of them is shown


class StageVerdict(NamedTuple):
    """How far a server comes."""

    series: str
    met: int
    of: int
    failed: Stage | None = None
    failure: str = ""  # the conversation
    not_asked: tuple[tuple[Stage, str], ...] = ()  # and why; they count as met

    def line(self, name: str) -> str:
        """One line of JSON, for a teacher who collects many."""
        return json.dumps(
            {
                "name": name,
                "series": self.series,
                "met": self.met,
                "of": self.of,
                "stopped_at": self.failed.name if self.failed else None,
                "not_asked": [stage.name for stage, _ in self.not_asked],
            },
            ensure_ascii=False,
        )

    def progress(self) -> str:
        """One line for a learner."""
        boxes = "\N{BLACK SQUARE}" * self.met + "\N{WHITE SQUARE}" * (self.of - self.met)
        return f"{self.series}  {boxes}  {self.met} of {self.of} stages"


def put_stage(stage: Stage, server: Server | Process) -> None:
    """Put one stage to a server that has just begun, and end it.  Raises Failed or NotAsked."""
    conversation = Conversation(server)
    failure: Failed | None = None
    try:
        if server.crash is not None:
            raise Failed(server.crash)
        try:
            stage.judge(conversation)
            conversation.settle()  # it may be about to crash
            if server.crash is not None:
                conversation.fail()
        except OSError as error:
            conversation.fail(f"then an error: {error.strerror or error}")
    except Failed as error:
        failure = error
    finally:
        ended = server.end()  # while its clients are there: it sleeps for one of them
        for talker in conversation.talkers:
            talker.sock.close()
    if failure is not None:
        raise Failed(f"{failure}" if ended else f"{failure}\n{DEAF}")
    if not ended:
        raise Failed(DEAF)


def judge(
    series: str,
    begin: Callable[[Stage], Server | Process],
    until: int | None = None,
    tell: Callable[[Stage, str], None] = lambda stage, what: None,
) -> StageVerdict:
    """Put the stages of a series, one after the other, each to a fresh server.

    `begin`: starts a server for a stage.  `until`: the number of the last stage to put.
    `tell`: is called after each stage with "pass", "FAIL" or "----".
    """
    stages = STAGES_OF[series]
    not_asked = []
    for stage in stages[:until]:
        try:
            put_stage(stage, begin(stage))
        except NotAsked as reason:
            not_asked.append((stage, str(reason)))
            tell(stage, "----")
        except Failed as failure:
            tell(stage, "FAIL")
            return StageVerdict(
                series, stage.number - 1, len(stages), stage, str(failure), tuple(not_asked)
            )
        else:
            tell(stage, "pass")
    return StageVerdict(series, len(stages[:until]), len(stages), not_asked=tuple(not_asked))


def examine_stage(serve: Callable[..., Any], stage: Stage) -> None:
    """Put one stage to a function serve(listener).  Raises Failed or NotAsked."""
    put_stage(stage, start(serve, buffer=stage.buffer))


def check_stage(series: str, numbers: int | Sequence[int], serve: Any, *new: Any) -> None:
    """Whether a stage holds, and all before it; prints the conversation of the one that does not.

    If a stage before it doesn't hold, the conversation is printed only if that stage held earlier.

    `series`: "chat" or "redis".  `numbers`: the stage, or several that one exercise is about.
    `serve`: your server.  `new`: the functions that this exercise has you write; one that still
    contains `...` is not attempted yet.  Raises ValueError for a stage that there is not.
    """
    asked = [numbers] if isinstance(numbers, int) else sorted(numbers)
    stages = STAGES_OF.get(series, [])
    if not asked or not all(1 <= number <= len(stages) for number in asked):
        there_are = ", ".join(
            f'1 to {len(stages)} of "{name}"' for name, stages in STAGES_OF.items()
        )
        raise ValueError(f"there is no stage {numbers} of {series!r}: there are {there_are}")
    for function in [*new, serve]:
        if function is ... or is_stub(function):
            name = getattr(function, "__name__", "serve")
            say("open", f"Not attempted yet: replace the ... in {name}().")
            return
    try:
        checked(serve)
    except TypeError as error:  # a module, say
        say("open", str(error).replace("start()", "check_stage()"))
        return
    verdict = judge(series, lambda stage: start(serve, buffer=stage.buffer), until=asked[-1])
    _HELD.update(stages[: verdict.met])
    for stage, reason in verdict.not_asked:
        print(f'Stage {stage.number}, "{stage.name}", was not asked: {reason}.')
    if verdict.failed is None:
        names = " and ".join(f'"{stages[number - 1].name}"' for number in asked)
        kind = "right"
        said = f"Right. {names[0].upper() + names[1:]} {'holds' if len(asked) == 1 else 'hold'}."
    elif verdict.failed.number < asked[0]:
        number = verdict.failed.number
        kind = "open"
        said = f'Stage {asked[0]} opens when stage {number} holds, "{verdict.failed.name}".'
        if verdict.failed in _HELD:
            report = stage_report(verdict.failed, verdict.failure)
            said = (
                f"{said}\nIt held before. What you have run since then has broken it.\n\n{report}"
            )
    else:
        kind, said = "wrong", stage_report(verdict.failed, verdict.failure)
    say(kind, said, f"\n{verdict.progress()}")


def stage_report(stage: Stage, failure: str) -> str:
    """What was required, and the conversation that shows that it does not hold."""
    sentence = textwrap.fill(stage.requirement, WIDTH)
    text = f"stage {stage.number}, {stage.name}\n{sentence}\n\n{failure}"
    return "FAIL  " + textwrap.indent(text, " " * 6).lstrip()
