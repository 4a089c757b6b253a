"""The load generators: building them, running them, reading what they print."""

import json
import os
import select
import subprocess
import time

from . import BUILD_DIR, ROOT


class Unavailable(Exception):
    """A row cannot run here; the text says what is missing."""


def build():
    subprocess.run([os.path.join(ROOT, "tests", "harness", "build.sh"), "bench", "bench", "zoospan", "zoospan_jar",
                    "zoospan-applier"], check=True, stdout=subprocess.DEVNULL)


def path(name):
    return os.path.join(BUILD_DIR, "tests", "bench", name)


def run(name, *arguments, timeout_s=600, stdin=subprocess.DEVNULL):
    """Runs one program to its end and returns the JSON object that it printed."""
    done = subprocess.run([path(name), *map(str, arguments)], stdin=stdin, capture_output=True, text=True,
                          timeout=timeout_s)
    if done.returncode != 0:
        raise RuntimeError(f"{name} {' '.join(map(str, arguments))}: {done.stderr.strip() or done.stdout.strip()}")
    return json.loads(done.stdout.splitlines()[-1])


class Running:
    """A program that goes on in the background: says something on standard output, ends when its standard input does."""

    def __init__(self, name, *arguments):
        self.name = name
        self.child = subprocess.Popen([path(name), *map(str, arguments)], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)

    def line(self, timeout_s=60):
        """The next line that it prints, as JSON."""
        ready, _, _ = select.select([self.child.stdout], [], [], timeout_s)
        text = self.child.stdout.readline() if ready else ""
        if not text:
            raise RuntimeError(f"{self.name} says nothing")
        return json.loads(text)

    def ask(self):
        self.child.stdin.write("\n")
        self.child.stdin.flush()
        return self.line()

    def stop(self, timeout_s=10):
        if self.child.poll() is None:
            self.child.stdin.close()
            try:
                self.child.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self.child.stdout.close()


def wait_until(what, timeout_s, condition, pause_s=0.02):
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not within {timeout_s} s")
        time.sleep(pause_s)
    return value
