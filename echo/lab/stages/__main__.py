"""Judge a chat server or a tiny Redis, stage by stage: a file, or a command that starts it.

A file holds a function serve(listener).  A command is started anew for every stage, with a free
port of 127.0.0.1 in the place of {port}; it is split as a shell would, but there is no shell.
The exit code is 0 if all stages hold, 1 if not, 2 if nothing could be asked.
"""

import argparse
import json
import signal
import sys
from pathlib import Path

from echo.lab import process
from echo.lab.background import Server, start
from echo.lab.conformance import is_stub
from echo.lab.judge import ENDS, Parser, interrupt, serve_of
from echo.lab.process import Process, Unusable
from echo.lab.stages.talk import Stage
from echo.lab.stages.verdict import SERIES, Verdict, judge, report

PROGRAM = "python -m echo.lab.stages"


def arguments() -> argparse.Namespace:
    lines = []
    for series, stages in SERIES.items():
        lines += [f"{series}:", *(f"  {stage.number:2} {stage.name}" for stage in stages)]
    parser = Parser(
        prog=PROGRAM,
        description=__doc__,
        epilog="\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("series", choices=SERIES)
    parser.add_argument("file", nargs="?", metavar="FILE.py", help="has serve(listener)")
    parser.add_argument("--command", metavar="CMD", help="such as 'node chat.js {port}'")
    parser.add_argument("--until", metavar="N", type=int, help="ask no further than stage N")
    parser.add_argument("--name", help="of the learner; by default the name of the file")
    parser.add_argument("--json", action="store_true", help="print one line of JSON, no more")
    options = parser.parse_args()
    if (options.file is None) == (options.command is None):
        parser.error("give it either a file or a command")
    if options.until is not None and not 1 <= options.until <= len(SERIES[options.series]):
        parser.error(f"--until takes a number from 1 to {len(SERIES[options.series])}")
    return options


def main() -> int:
    """Exit code; whatever was started has ended by then."""
    options = arguments()
    for number in ENDS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup(1)
            signal.signal(number, interrupt)
    process.adopt()
    name = options.name or (Path(options.file).stem if options.file else options.command)
    try:
        verdict = ask(options)
    except Unusable as error:
        if options.json:
            print(json.dumps({"name": name, "series": options.series, "error": str(error)}))
        else:
            print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{PROGRAM}: interrupted", file=sys.stderr)
        return 130
    finally:
        process.end_all()
    if options.json:
        print(verdict.line(name))
    else:
        for stage, reason in verdict.not_asked:
            print(f"stage {stage.number}, {stage.name}, was not asked: {reason}")
        print(f"\n{verdict.progress()}")
    return 1 if verdict.failed else 0


def ask(options: argparse.Namespace) -> Verdict:
    """Raises Unusable if it does not start."""
    if options.command:
        Process(options.command).end()

        def begin(stage: Stage) -> Server | Process:
            return Process(options.command, stage.buffer)
    else:
        serve = serve_of(Path(options.file))
        if is_stub(serve):
            raise Unusable(f"not attempted yet: replace the ... in serve() of {options.file}")

        def begin(stage: Stage) -> Server | Process:
            return start(serve, buffer=stage.buffer)

    def tell(stage: Stage, what: str) -> None:
        if not options.json and what != "FAIL":
            print(f"{what}  {stage.number:2} {stage.name}", flush=True)

    verdict = judge(options.series, begin, options.until, tell)
    if verdict.failed and not options.json:
        print(report(verdict.failed, verdict.failure))
    return verdict


if __name__ == "__main__":
    sys.exit(main())
