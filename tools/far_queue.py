"""Record what a full accept queue looks like across a network: lesson 02 shows the listing.

    sudo python -m tools.far_queue                  # with SYN cookies, the default of Linux
    sudo python -m tools.far_queue --no-cookies

Two network namespaces stand for two machines.  Each has a TUN device, and this script carries the
packets from one to the other and holds each of them back for 10 milliseconds.  On loopback, every
handshake ends before the next one begins, and then nothing of this can be seen.  Which clients
are left out, and whether the server still has them in SYN-RECV, differs from run to run.  Needs
root, ip and ss (iproute2); the namespaces are removed again.
"""

import argparse
import contextlib
import fcntl
import os
import queue
import struct
import subprocess
import sys
import threading
import time

TUNSETIFF, IFF_TUN_NO_PI = 0x400454CA, 0x1001  # <linux/if_tun.h>
DELAY = 0.01  # seconds that each packet needs
SERVER = """
import socket, sys
server = socket.create_server(("10.9.0.2", 7007), backlog=5)
print("listening", flush=True)
sys.stdin.read()
"""
CLIENTS = """
import socket, sys, time
clients = [socket.socket() for _ in range(8)]
for client in clients:
    client.setblocking(False)
    client.connect_ex(("10.9.0.2", 7007))
time.sleep(0.5)  # the handshakes, and not the second SYN
for client in clients:
    try:
        client.send(b"hello")
    except BlockingIOError:
        pass  # not connected yet
time.sleep(0.1)
print("sent", flush=True)
sys.stdin.read()
"""


def run(command: str) -> None:
    subprocess.run(command.split(), check=True)


def tun(namespace: str, address: str) -> int:
    """A namespace with one network device, whose packets come out of the descriptor returned."""
    descriptor, device = os.open("/dev/net/tun", os.O_RDWR), f"tun-{namespace}"
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH", device.encode(), IFF_TUN_NO_PI))
    run(f"ip netns add {namespace}")
    run(f"ip link set {device} netns {namespace}")
    run(f"ip -n {namespace} addr add {address}/24 dev {device}")
    run(f"ip -n {namespace} link set {device} up")
    return descriptor


def carry(source: int, target: int) -> None:
    """Take each packet to the other side, after DELAY and in order."""
    packets: queue.Queue[tuple[float, bytes]] = queue.Queue()

    def deliver() -> None:
        with contextlib.suppress(OSError):  # its namespace has been removed
            while True:
                due, packet = packets.get()
                time.sleep(max(0, due - time.monotonic()))
                os.write(target, packet)

    threading.Thread(target=deliver, daemon=True).start()
    with contextlib.suppress(OSError):
        while True:
            packets.put((time.monotonic() + DELAY, os.read(source, 65536)))


def inside(namespace: str, program: str, ready: str) -> subprocess.Popen[str]:
    """Start a Python program in a namespace and wait for the word that says it is ready."""
    command = ["ip", "netns", "exec", namespace, sys.executable, "-c", program]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stdout is not None
    if process.stdout.readline().strip() != ready:
        sys.exit(f"the program in {namespace} did not get ready")
    return process


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-cookies", action="store_true", help="set tcp_syncookies to 0")
    options = parser.parse_args()
    programs = []
    try:
        here, there = tun("far-client", "10.9.0.1"), tun("far-server", "10.9.0.2")
        for ends in ((here, there), (there, here)):
            threading.Thread(target=carry, args=ends, daemon=True).start()
        cookies = "sysctl -q -w net.ipv4.tcp_syncookies=" + str(int(not options.no_cookies))
        run(f"ip netns exec far-server {cookies}")
        programs.append(inside("far-server", SERVER, "listening"))
        programs.append(inside("far-client", CLIENTS, "sent"))
        for name in ("client", "server"):
            print(f"{name}$ ss -tan", flush=True)
            run(f"ip netns exec far-{name} ss -tan")
    finally:
        for program in programs:
            program.kill()
            program.wait()
        for name in ("far-client", "far-server"):
            subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
