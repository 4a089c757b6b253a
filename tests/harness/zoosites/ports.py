"""Free TCP ports on the loopback interface, never anybody's default, and never another run's that has not bound them yet."""

import random
import socket
import sys

# Below the kernel's range for outgoing connections (32768 and up), so that no client takes one before its server does.
FIRST, LAST = 20000, 32000

# What ZooKeeper, RabbitMQ, epmd and their friends would use by default: somebody's own server may want it tomorrow.
TAKEN = {21883, 25672, 25673}

# A process draws its ports from blocks that it holds until it ends. What holds a block is the name of a socket in Linux'
# abstract namespace: it leaves no file, and goes with the process, however that ends.
BLOCK = 100

_held, _left = [], []


def _hold_a_block():
    starts = list(range(FIRST, LAST, BLOCK))
    random.shuffle(starts)
    for start in starts:
        holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            holder.bind(f"\0zoospan-ports-{start}")
        except OSError:
            holder.close()
            continue
        _held.append(holder)
        _left.extend(random.sample(range(start, start + BLOCK), BLOCK))
        return
    raise RuntimeError(f"other runs hold all ports between {FIRST} and {LAST} of 127.0.0.1")


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
    """A port that nobody listens on, and that neither this process nor another of ours has given out before."""
    while True:
        if not _left:
            _hold_a_block()
        port = _left.pop()
        if port not in TAKEN and _is_free(port):
            return port


if __name__ == "__main__":  # for the shell scripts: ports.py COUNT
    print(*(free_port() for _ in range(int(sys.argv[1]))))
