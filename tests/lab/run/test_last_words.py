"""The line that says what went wrong is found among all that a program has written."""

import pytest

from echo.lab.run.last_words import useful_line

GROUP = """\
  + Exception Group Traceback (most recent call last):
  |   File "x.py", line 9, in <module>
  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "x.py", line 5, in echo
    | ConnectionResetError: [Errno 104] Connection reset by peer
    +------------------------------------
"""
RUST = """\

thread 'main' panicked at src/main.rs:9:40:
called `Result::unwrap()` on an `Err` value: Os { code: 104, kind: ConnectionReset }
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
"""
NODE = """\
node:events:497
      throw er; // Unhandled 'error' event
      ^

Error: read ECONNRESET
    at TCP.onStreamRead (node:internal/stream_base_commons:216:20)

Node.js v20.20.2
"""
GO = "panic: read tcp: connection reset by peer\n\ngoroutine 1 [running]:\nmain.main()\n"
RUBY = "echo.rb:5:in `readpartial': Connection reset by peer (Errno::ECONNRESET)\n\tfrom x\n"
JAVA = 'Exception in thread "main" java.net.SocketException: Connection reset\n\tat X.main(X.java)'


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (GROUP, "ConnectionResetError: [Errno 104] Connection reset by peer"),
        (
            RUST,
            "called `Result::unwrap()` on an `Err` value: Os { code: 104, kind: ConnectionReset",
        ),
        (NODE, "Error: read ECONNRESET"),
        (GO, "panic: read tcp: connection reset by peer"),
        (RUBY, "echo.rb:5:in `readpartial': Connection reset by peer (Errno::ECONNRESET)"),
        (JAVA, 'Exception in thread "main" java.net.SocketException: Connection reset'),
        ("usage: x PORT\nOh no\n\n", "Oh no"),
        ("", ""),
    ],
    ids=["group", "Rust", "Node", "Go", "Ruby", "Java", "plain", "nothing"],
)
def test_useful_line(text, line):
    assert useful_line(text).startswith(line)
    assert bool(useful_line(text)) == bool(line)
