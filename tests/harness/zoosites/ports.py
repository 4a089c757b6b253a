"""Free TCP ports on the loopback interface, never anybody's default."""

import random
import socket
import sys

# Below the kernel's range for outgoing connections (32768 and up), so that no client takes one before its server does.
FIRST, LAST = 20000, 32000

# What ZooKeeper, RabbitMQ, epmd and their friends would use by default: somebody's own server may want it tomorrow.
TAKEN = {21883, 25672, 25673}

_given = set()


def _is_free(port):
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0")):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


def free_port():
    """A port that nobody listens on, and that this process has not given out before."""
    for _ in range(1000):
        port = random.randint(FIRST, LAST)
        if port not in TAKEN and port not in _given and _is_free(port):
            _given.add(port)
            return port
    raise RuntimeError(f"no free port between {FIRST} and {LAST} on 127.0.0.1")


if __name__ == "__main__":  # for the shell scripts: ports.py COUNT
    print(*(free_port() for _ in range(int(sys.argv[1]))))
