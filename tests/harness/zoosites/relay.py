"""A far way to a broker, or to anything else that listens on the loopback interface: relay.c carries its connections with a delay,
and can swallow them. What is connected to `port` comes out at the target."""

import contextlib
import os
import select
import subprocess

from . import build
from .ports import free_port
from .processes import StartError

SOURCE = os.path.join(build.ROOT, "tests", "harness", "relay.c")


def program():
    """Built when it is first used."""
    made = build.path("relay")
    if not os.path.exists(made) or os.path.getmtime(made) < os.path.getmtime(SOURCE):
        os.makedirs(os.path.dirname(made), exist_ok=True)
        fresh = f"{made}.{os.getpid()}"
        subprocess.run(["cc", "-O2", "-o", fresh, SOURCE], check=True, timeout=120)
        os.replace(fresh, made)
    return made


class Relay:
    """Ends when this process does, or with stop()."""

    def __init__(self, target_port, rtt_ms=0):
        self.port = free_port()
        self.child = subprocess.Popen([program(), str(self.port), str(target_port)], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)
        self._answer()
        self.far(rtt_ms)

    def _answer(self):
        ready, _, _ = select.select([self.child.stdout], [], [], 30)
        if not ready or self.child.stdout.readline() != "ok\n":
            raise StartError(f"the relay at port {self.port} does not answer")

    def _tell(self, command):
        self.child.stdin.write(f"{command}\n")
        self.child.stdin.flush()
        self._answer()

    def far(self, rtt_ms):
        """How long a byte and its answer take from now on."""
        self._tell(f"delay {int(rtt_ms * 500)}")

    def hole(self, on):
        """Nothing gets through, and nothing is closed; what was sent meanwhile comes afterwards."""
        self._tell(f"hole {int(on)}")

    def swallow(self, on):
        """New connections are not answered, as behind a firewall; those that stand go on."""
        self._tell(f"swallow {int(on)}")

    @contextlib.contextmanager
    def swallowing(self):
        self.swallow(True)
        try:
            yield
        finally:
            self.swallow(False)

    def cut(self):
        """Resets all connections."""
        self._tell("cut")

    def uri(self, user, vhost="%2F"):
        return f"amqp://{user}@127.0.0.1:{self.port}/{vhost}"

    def stop(self):
        if self.child.poll() is None:
            self.child.stdin.close()
            self.child.wait(10)
        self.child.stdout.close()
