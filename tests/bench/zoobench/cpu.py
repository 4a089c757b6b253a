"""Processor time: of the host that takes it away, and of processes and their threads."""

import os

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def stolen_and_all():
    """(stolen, all) jiffies of this machine's processors since it was started."""
    with open("/proc/stat") as stat:
        fields = [int(field) for field in stat.readline().split()[1:9]]
    return fields[7], sum(fields)


class Stolen:
    """The share of processor time that the host took away between begin and `share`."""

    def __init__(self):
        self.before = stolen_and_all()

    def share(self):
        stolen, everything = stolen_and_all()
        return (stolen - self.before[0]) / max(1, everything - self.before[1])


def process_seconds(pid):
    """User and system time of a process so far."""
    with open(f"/proc/{pid}/stat", "rb") as stat:
        fields = stat.read().rsplit(b")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def thread_seconds(pid):
    """thread's name -> its time so far (of all threads of that name)."""
    times = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat") as schedstat:
                seconds = int(schedstat.read().split()[0]) / 1e9
            with open(f"/proc/{pid}/task/{task}/comm") as comm:
                name = comm.read().strip()
        except OSError:
            continue  # it has ended meanwhile
        times[name] = times.get(name, 0) + seconds
    return times


def rss_bytes(pid):
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0
