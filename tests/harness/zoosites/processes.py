"""Child processes that outlive us when they shall: started in their own session, found again by pid and start time
(a pid alone may have been given to somebody else by then), and stopped politely before they are killed."""

import contextlib
import glob
import os
import re
import signal
import subprocess
import time

# What a program says when it cannot go on.
LAST_WORDS = re.compile(r"OutOfMemoryError|\bFATAL\b|exiting abnormally|# A fatal error|Unable to (load|access) d|SUMMARY: \w+Sanitizer")


class StartError(Exception):
    """Something did not come up; the text is for a person and names the log to read."""


def start_time(pid):
    """When a process started, in ticks since boot; None if there is none (a zombie counts as none)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            fields = stat.read().rsplit(b")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == b"Z" else int(fields[19])


def thread_states(pid):
    """One letter per thread of a process, as in ps; a thread that ends meanwhile is left out."""
    states = []
    for name in glob.glob(f"/proc/{pid}/task/*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(name, "rb") as stat:
            states.append(stat.read().rsplit(b")", 1)[1].split()[0])
    return states


class Process:
    """One started program. `pid` and `started` together name it."""

    def __init__(self, pid, started, log, child=None):
        self.pid, self.started, self.log, self.child = pid, started, log, child
        self.told_to_end = False

    @classmethod
    def spawn(cls, argv, log, env=None, cwd=None):
        os.makedirs(os.path.dirname(log), exist_ok=True)
        with open(log, "ab") as out:
            child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=env,
                                     cwd=cwd, start_new_session=True, close_fds=True)
        return cls(child.pid, start_time(child.pid), log, child)

    @classmethod
    def from_record(cls, record):
        return cls(record["pid"], record["started"], record["log"])

    def record(self):
        return {"pid": self.pid, "started": self.started, "log": self.log}

    def alive(self):
        if self.started is not None and start_time(self.pid) == self.started:
            return True
        if self.child is not None:
            self.child.poll()
        return False

    def signal(self, number):
        if self.alive():
            os.kill(self.pid, number)

    def freeze(self):
        """SIGSTOP. Returns when every thread of it stands still: until then it may still write or answer."""
        self.signal(signal.SIGSTOP)
        deadline = time.monotonic() + 10
        while self.alive() and not all(state in b"TZ" for state in thread_states(self.pid)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"process {self.pid} did not stop")
            time.sleep(0.001)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def wait(self, timeout_s):
        """True once it is gone."""
        deadline = time.monotonic() + timeout_s
        while self.alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def exit_code(self):
        return None if self.child is None else self.child.poll()

    def fell(self):
        """It is gone, and nobody here ended it."""
        return not self.told_to_end and not self.alive()

    def last_words(self):
        """How and why it ended, as far as its log tells."""
        lines = self.tail(200).splitlines() or ["an empty log"]
        return f"ended by itself (exit code {self.exit_code()}): " + next(filter(LAST_WORDS.search, reversed(lines)), lines[-1])

    def terminate(self, timeout_s=10):
        """SIGTERM, and SIGKILL when that does not help in time. True if SIGTERM was enough."""
        self.told_to_end = True
        self.thaw()
        self.signal(signal.SIGTERM)
        if self.wait(timeout_s):
            return True
        self.kill()
        return False

    def kill(self):
        self.told_to_end = True
        self.signal(signal.SIGKILL)
        self.wait(10)

    def tail(self, lines=15):
        try:
            with open(self.log, errors="replace") as log:
                return "".join(log.readlines()[-lines:])
        except FileNotFoundError:
            return ""


def stop_all(processes, timeout_s=10):
    """Asks all at once, then waits for each: much quicker than one by one."""
    for process in processes:
        process.told_to_end = True
        process.thaw()
        process.signal(signal.SIGTERM)
    deadline = time.monotonic() + timeout_s
    for process in processes:
        if not process.wait(max(0.0, deadline - time.monotonic())):
            process.kill()


def wait_for(what, timeout_s, condition, process=None, pause_s=0.05):
    """Waits until condition() is true and returns its value. Gives up early when `process` has died."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if process is not None and not process.alive():
            raise StartError(f"{what}: the process ended; last lines of {process.log}:\n{process.tail()}")
        if time.monotonic() > deadline:
            where = f"; last lines of {process.log}:\n{process.tail()}" if process is not None else ""
            raise StartError(f"{what}: not within {timeout_s} s{where}")
        time.sleep(pause_s)
