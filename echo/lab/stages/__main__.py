"""Judge a chat server or a tiny Redis, stage by stage: a file, or a command that starts it.

A file holds a function serve(listener); for the Redis it may be called redis(listener).  What
it prints goes to stderr.  A command is started anew for every stage, with a free
port of 127.0.0.1 in the place of {port}; it is split as a shell would, but there is no shell.
The exit code is 0 if all stages hold, 1 if not, 2 if nothing could be asked.
"""

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from echo.lab.conformance import is_stub
from echo.lab.conformance.__main__ import serve_of
from echo.lab.run.process import Process, Unusable
from echo.lab.run.program import Parser, leaving_nobody
from echo.lab.run.server import Server, start
from echo.lab.stages.talk import Stage
from echo.lab.stages.verdict import STAGES_OF, StageVerdict, judge, stage_report

JUDGE = "python -m echo.lab.stages"


def options_of_the_command() -> argparse.Namespace:
    lines = []
    for series, stages in STAGES_OF.items():
        lines += [f"{series}:", *(f"  {stage.number:2} {stage.name}" for stage in stages)]
    parser = Parser(
        prog=JUDGE,
        description=__doc__,
        epilog="\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("series", choices=STAGES_OF)
    parser.add_argument("file", nargs="?", metavar="FILE.py", help="has serve(listener)")
    parser.add_argument("--command", metavar="CMD", help="such as 'node chat.js {port}'")
    parser.add_argument("--until", metavar="N", type=int, help="ask no further than stage N")
    parser.add_argument("--name", help="of the learner; by default the name of the file")
    parser.add_argument("--json", action="store_true", help="print one line of JSON, no more")
    options = parser.parse_args()
    if (options.file is None) == (options.command is None):
        parser.error("give it either a file or a command")
    if options.until is not None and not 1 <= options.until <= len(STAGES_OF[options.series]):
        parser.error(f"--until takes a number from 1 to {len(STAGES_OF[options.series])}")
    return options


def judge_as_told() -> int:
    """Exit code; whatever was started has ended by then."""
    options = options_of_the_command()
    with to_ourselves() as output:
        return judge_to(output, options)


@contextlib.contextmanager
def to_ourselves() -> Iterator[TextIO]:
    """Standard output for our lines alone; what else is printed inside goes to stderr."""
    sys.stdout.flush()
    with open(os.dup(1), "w", encoding="utf-8", closefd=True) as output:
        os.dup2(2, 1)
        yield output
        sys.stdout.flush()


def judge_to(output: TextIO, options: argparse.Namespace) -> int:
    name = options.name or (Path(options.file).stem if options.file else options.command)
    try:
        with leaving_nobody():
            verdict = verdict_of(options, output)
    except Unusable as error:
        if options.json:
            line = json.dumps({"name": name, "series": options.series, "error": str(error)})
            print(line, file=output)
        else:
            print(f"{JUDGE}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{JUDGE}: interrupted", file=sys.stderr)
        return 130
    if options.json:
        print(verdict.line(name), file=output)
    else:
        for stage, reason in verdict.not_asked:
            print(f"stage {stage.number}, {stage.name}, was not asked: {reason}", file=output)
        print(f"\n{verdict.progress()}", file=output)
    return 1 if verdict.failed else 0


def verdict_of(options: argparse.Namespace, output: TextIO) -> StageVerdict:
    """Raises Unusable if it does not start."""
    if options.command:
        Process(options.command).end()

        def begin(stage: Stage) -> Server | Process:
            return Process(options.command, stage.buffer)
    else:
        serve = serve_of(Path(options.file), *(["redis"] if options.series == "redis" else []))
        if is_stub(serve):
            called = f"{serve.__name__}() of {options.file}"
            raise Unusable(f"not attempted yet: replace the ... in {called}")

        def begin(stage: Stage) -> Server | Process:
            return start(serve, buffer=stage.buffer)

    def tell(stage: Stage, what: str) -> None:
        if not options.json and what != "FAIL":
            print(f"{what}  {stage.number:2} {stage.name}", file=output, flush=True)

    verdict = judge(options.series, begin, options.until, tell)
    if verdict.failed and not options.json:
        print(stage_report(verdict.failed, verdict.failure), file=output)
    return verdict


if __name__ == "__main__":
    sys.exit(judge_as_told())
