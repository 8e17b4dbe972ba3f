"""Run one of the echo servers in the foreground, until Ctrl-C.

Talk to it from another terminal:  nc 127.0.0.1 7007
"""

import argparse
import importlib
import select
import signal
import socket
import sys
from pathlib import Path

SERVERS = {
    path.stem.removesuffix("_server"): path.read_text("utf-8").splitlines()[0].strip('"')
    for path in sorted(Path(__file__).parent.glob("*_server.py"))
}
NEEDS = dict.fromkeys(["coroutine", "epoll", "epoll_edge", "io_uring", "sigio"], "epoll")  # Linux
NEEDS["poll"] = "poll"  # Windows has none


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"{self.prog}: {message}; try {self.prog} --help\n")


def port(text):
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: a number from 0 to 65535")
    return int(text)


def arguments():
    parser = Parser(
        prog="python -m echo",
        description=__doc__,
        epilog="\n".join(["servers:", *map("  {0[0]:11}  {0[1]}".format, SERVERS.items())]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=SERVERS, metavar="NAME", help="a server listed below")
    parser.add_argument("port", type=port, metavar="PORT", help="0: any free port")
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (%(default)s)")
    return parser.parse_args()


def main():
    options = arguments()
    if not hasattr(select, NEEDS.get(options.name, "select")):
        sys.exit(f"python -m echo: {options.name} cannot run on this system; select can")
    for number in (signals := (signal.SIGINT, signal.SIGTERM)):  # end at once, even asleep
        signal.signal(number, signal.SIG_DFL)
    serve = importlib.import_module(f"echo.{options.name}_server").serve
    try:
        family = socket.getaddrinfo(options.host, options.port)[0][0]
        listener = socket.create_server((options.host, options.port), family=family, backlog=4096)
    except (OSError, UnicodeError) as error:  # UnicodeError: no host can have such a name
        why = getattr(error, "strerror", "no such host").partition(" (")[0]
        where = f"{options.host}:{options.port}"
        sys.exit(f"python -m echo: cannot listen on {where}: {why}; try another port or --host")

    def end(number, _):  # or the operations on the ring would keep the port open a moment longer
        listener.shutdown(socket.SHUT_RDWR)
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    for number in signals if options.name == "io_uring" else ():
        signal.signal(number, end)
    with listener:
        host, number = listener.getsockname()[:2]
        host = f"[{host}]" if ":" in host else host
        try:
            print(f"{options.name} server listening on {host}:{number}; Ctrl-C ends it", flush=True)
            serve(listener)
        except OSError as error:  # this machine does not allow it, or stdout takes no line
            sys.stdout = None  # so that Python does not try it again at the end
            sys.exit(f"python -m echo: {error.strerror}")


if __name__ == "__main__":
    main()
