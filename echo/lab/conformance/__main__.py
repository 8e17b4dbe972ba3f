"""Put the suite to a server in a file, or to a command that starts one.

A file holds a function serve(listener).  A command is started anew for every requirement,
with a free port of 127.0.0.1 in the place of {port}; it is split as a shell would, but there
is no shell.  The exit code is 0 if all that was asked was met, 1 if not, 2 if nothing could
be asked.
"""

import argparse
import contextlib
import importlib.util
import inspect
import signal
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from echo.lab.conformance.catalog import REQUIREMENTS, Requirement, title, up_to
from echo.lab.conformance.subject import Failed, NoEcho
from echo.lab.conformance.verdict import but_for, examine, is_stub, put, report
from echo.lab.run.process import NotAsked, Process, Unusable
from echo.lab.run.program import Parser, leaving_nobody

PROGRAM = "python -m echo.lab.conformance"
GOES_ON = 8  # seconds after which a line says that it goes on
IMPORT = 10  # seconds after which a file that is imported still runs, and is no module


def arguments() -> argparse.Namespace:
    parser = Parser(
        prog=PROGRAM,
        description=__doc__,
        epilog="\n".join(["requirements:", *(f"  {title(one)}" for one in REQUIREMENTS)]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", nargs="?", metavar="FILE.py", help="has serve(listener)")
    parser.add_argument("--command", metavar="CMD", help="such as 'node echo.js {port}'")
    parser.add_argument("--until", metavar="NAME", help="ask no further than this requirement")
    options = parser.parse_args()
    if (options.file is None) == (options.command is None):
        parser.error("give it either a file or a command")
    return options


def main() -> int:
    """Exit code; whatever was started has ended by then."""
    options = arguments()
    file = options.file
    try:
        with leaving_nobody():
            asked = chosen(options.until)
            judge = judge_of_file(file) if file else judge_of_command(options.command)
            return print_verdict(asked, judge)
    except Unusable as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{PROGRAM}: interrupted", file=sys.stderr)
        return 130


def chosen(until: str | None) -> list[Requirement]:
    try:
        return up_to(until)
    except ValueError as error:
        said = str(error).partition(" They are")[0].partition("; they are")[0]
        raise Unusable(f"{said}; {PROGRAM} --help lists them".replace("?;", "?")) from None


def print_verdict(asked: list[Requirement], judge: Callable[[Requirement], None]) -> int:
    """Put every requirement, whatever became of the one before, and print what came of it."""
    met = not_asked = 0
    for one in asked:
        try:
            with progress(one):
                judge(one)
        except NotAsked as reason:
            not_asked += 1
            lines = textwrap.fill(f"not asked: {reason}", 100 - 6)
            print(f"----  {title(one)}\n{textwrap.indent(lines, ' ' * 6)}", flush=True)
        except NoEcho as failure:
            print(f"FAIL  {report(one, failure)}", flush=True)
            if left := len(asked) - asked.index(one) - 1:
                print(f"\nThe other {left} are not asked: they would all fail for the same reason.")
            return 1
        except Failed as failure:
            print(f"FAIL  {report(one, failure)}", flush=True)
        except Unusable as error:  # it did start once, before the first requirement
            print(f"FAIL  {report(one, Failed(error))}", flush=True)
        else:
            met += 1
            print(f"pass  {title(one)}", flush=True)
    count = len(asked) - not_asked
    print(f"\n{met} of {count} requirements met{but_for(not_asked)}.")
    return 0 if met == count else 1


@contextlib.contextmanager
def progress(one: Requirement) -> Iterator[None]:
    """A line on stderr whenever it has taken GOES_ON seconds more: nothing hangs."""
    over = threading.Event()

    def tell() -> None:
        seconds = 0
        while not over.wait(GOES_ON):
            seconds += GOES_ON
            print(f"...   {title(one)}: {seconds} seconds so far", file=sys.stderr, flush=True)

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def judge_of_command(command: str) -> Callable[[Requirement], None]:
    """Raises Unusable if it does not start."""
    Process(command).end()
    return lambda one: put(one, Process(command, one.buffer))


def judge_of_file(name: str) -> Callable[[Requirement], None]:
    """Raises Unusable if it has no serve() that can be called."""
    serve = serve_of(Path(name))
    if is_stub(serve):
        raise Unusable(f"not attempted yet: replace the ... in serve() of {name}")
    return lambda one: examine(serve, one)


def serve_of(path: Path, *other_names: str) -> Callable[..., Any]:
    """The function serve(listener) of a file, imported as `python FILE.py` would find it.

    `other_names`: what it may be called if there is no serve().
    """
    if not path.is_file():
        raise Unusable(f"there is no file {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise Unusable(f"{path} is no Python file: its name does not end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        with no_longer_than(IMPORT):
            spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except TimeoutError as error:
        raise Unusable(f"{path} {error}") from None
    except BaseException as error:
        raise Unusable(f"{path} cannot be imported: {what(error, path)}") from None
    names = ["serve", *other_names]
    name = next((name for name in names if hasattr(module, name)), None)
    if name is None:
        called = " or ".join(f"{name}(listener)" for name in names)
        raise Unusable(f"{path} has no function {called}")
    serve: Any = getattr(module, name)
    if not callable(serve) or inspect.iscoroutinefunction(serve):
        raise Unusable(f"{name} in {path} is not a plain function {name}(listener)")
    with contextlib.suppress(ValueError):  # no signature to look at
        try:
            inspect.signature(serve).bind(None)
        except TypeError as error:
            raise Unusable(f"{name}() in {path} is not {name}(listener): {error}") from None
    function: Callable[..., Any] = serve
    return function


def what(error: BaseException, path: Path) -> str:
    """An error and its line in the file, in one line."""
    line = error.lineno if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path.resolve()):
            line = trace.tb_lineno
        trace = trace.tb_next
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    text = f"{type(error).__name__}: {said}".partition("\n")[0].rstrip(": ")
    return f"{text} (line {line})" if line else text


@contextlib.contextmanager
def no_longer_than(seconds: int) -> Iterator[None]:
    """A file that serves as soon as it is imported would never come back."""

    def too_long(number: int, frame: object) -> None:
        raise TimeoutError(
            f"still runs {seconds} seconds after it was imported; what starts a server belongs "
            'below `if __name__ == "__main__":`'
        )

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


if __name__ == "__main__":
    sys.exit(main())
