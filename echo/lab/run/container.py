"""Run Python as a container's filter would have it: io_uring_setup(2) is refused.

in_a_container(code)        # prints what the code prints there
"""

import errno
import platform
import subprocess
import sys

from echo.lab.run.program import ROOT

CAN_FORBID = platform.machine() in ("x86_64", "aarch64")  # elsewhere calls may have other numbers

# seccomp(2): load the number of the call; if it is 425, io_uring_setup, then answer with an
# error, else let it pass.  Docker's default profile does the same.
FILTER = """
import ctypes, struct, sys
code = [(0x20, 0, 0, 0), (0x15, 0, 1, 425), (0x06, 0, 0, 0x50000 | {error}), (6, 0, 0, 0x7FFF0000)]
text = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in code), 32)
program = ctypes.create_string_buffer(struct.pack("H6xQ", 4, ctypes.addressof(text)))
libc = ctypes.CDLL(None)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program):
    sys.exit("nothing can be forbidden here")
sys.path.insert(0, {root!r})
"""


def in_a_container(code: str) -> str:
    """Run `code` in a process that may not set up a ring; what it prints, without the last newline.

    The filter holds for that process alone (seccomp(2), SECCOMP_RET_ERRNO with EPERM).  Raises
    RuntimeError with the last line that the code wrote to stderr if it fails.
    """
    if not CAN_FORBID:
        raise RuntimeError("how to forbid a system call is not known on this processor")
    done = subprocess.run(
        [sys.executable, "-c", FILTER.format(error=errno.EPERM, root=str(ROOT)) + code],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
    )
    if done.returncode:
        raise RuntimeError((done.stderr.splitlines() or ["it failed"])[-1])
    return done.stdout.removesuffix("\n")
