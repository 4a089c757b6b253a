"""Runs one part of the tests in a process of its own, by which it can be told what it cost, and which nothing outlives.

That process is the one to which the kernel gives every orphan beneath it (PR_SET_CHILD_SUBREAPER). So the CPU seconds of whatever
the part started count, servers that were killed too; what still runs at its end is found, named and stopped; and a part
that is not over in time ends with all that it started."""

import ctypes
import json
import os
import signal
import sys
import time
import traceback

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
GRACE_S = 10  # who was told to go may need a moment


class NotOver(BaseException):
    """The part's time is over, or somebody stops the run."""


def _stat(pid):
    """(state, parent, name) of a process; None if there is none."""
    try:
        with open(f"/proc/{pid}/stat", errors="replace") as stat:
            text = stat.read()
    except OSError:
        return None
    name, fields = text[text.index("(") + 1:text.rindex(")")], text.rsplit(")", 1)[1].split()
    return fields[0], int(fields[1]), name


def descendants(pid):
    """pid -> a line about it, for all beneath a process that still run."""
    stats = {int(name): _stat(name) for name in os.listdir("/proc") if name.isdigit()}
    found, grew = {pid}, True
    while grew:
        more = {child for child, stat in stats.items() if stat and stat[1] in found} - found
        found, grew = found | more, bool(more)
    return {child: _command(child, stats[child][2]) for child in found - {pid} if stats[child][0] != "Z"}


def _command(pid, name):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as line:
            return line.read().replace(b"\0", b" ").decode(errors="replace").strip()[:160] or name
    except OSError:
        return name


def _reap():
    """Takes note of all that have ended. False: nothing is left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _end_all(grace_s):
    """Kills what is left beneath this process, until nothing is. Returns lines about what did not end by itself."""
    pid, left = os.getpid(), {}
    deadline = time.monotonic() + grace_s
    while _reap() and time.monotonic() < deadline and (left := descendants(pid)):
        time.sleep(0.05)
    named = dict(left)
    while _reap() and (left := descendants(pid)):
        for child in left:
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.05)
    return [f"pid {child}: {line}" for child, line in sorted(named.items())]


def _raise(number, _):
    raise NotOver("not over in time" if number == signal.SIGALRM else "told to stop")


def _run_beneath(run):
    """Runs it in a child, so that this process does nothing but reap: who waits for the end of a server that it has not
    started itself would see its zombie for ever. Returns its exit code."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for number in (signal.SIGTERM, signal.SIGALRM):
                signal.signal(number, signal.SIG_DFL)
            code = run()
        except BaseException:  # noqa: B902: a fault of ours is a part that failed
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 1


def _inside(run, log, timeout_s, nice):
    """In the part's own process: its exit code."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    os.setsid()
    os.nice(nice)
    if log:
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(out, 1)
        os.dup2(out, 2)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, _raise)
    signal.alarm(timeout_s)
    try:
        code = _run_beneath(run)
    except NotOver as reason:
        print(f"test.sh: {reason}; what still runs:", *descendants(os.getpid()).values(), sep="\n    ", flush=True)
        code = 124
    signal.alarm(0)
    left = _end_all(0 if code == 124 else GRACE_S)
    if left and code != 124:
        print("test.sh: processes were left behind, and are killed now:", *left, sep="\n    ", flush=True)
        code = code or 1
    return code


class Part:
    """One part under way. `result` after join(): code, wall_s, cpu_s."""

    def __init__(self, run, log=None, timeout_s=3600, nice=0):
        self.started, self.result = time.monotonic(), None
        sys.stdout.flush()
        self.read_end, write_end = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                os.close(self.read_end)
                code = _inside(run, log, timeout_s, nice)
                used = os.times()
                cpu_s = used.user + used.system + used.children_user + used.children_system
                os.write(write_end, json.dumps({"code": code, "cpu_s": cpu_s}).encode())
            finally:
                sys.stdout.flush()
                os._exit(code)
        os.close(write_end)

    def stop(self):
        os.kill(self.pid, signal.SIGTERM)

    def join(self):
        with os.fdopen(self.read_end, "rb") as pipe:
            said = pipe.read()
        os.waitpid(self.pid, 0)
        self.result = json.loads(said) if said else {"code": 1, "cpu_s": 0.0}
        self.result["wall_s"] = time.monotonic() - self.started
        return self.result
