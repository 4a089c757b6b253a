"""Faults by a seed: the same ones in the same order and at the same distances, whatever the machine."""

import random
import subprocess
import time

from . import verdict

AT_ONCE = 2  # faults
ACTION_S = 1  # as long as a strike or a cure may take


class Gust:
    """One fault at its time, in seconds from the storm's begin."""

    def __init__(self, at_s, fault, lasts_s):
        self.at_s, self.fault, self.lasts_s = at_s, fault, lasts_s


def forecast(possible, seed, seconds):
    """The storm of a seed: at most AT_ONCE faults at a time and never two on one target. Depends on nothing else."""
    chance, gusts, at_s = random.Random(seed), [], 0.0
    while True:
        at_s += chance.uniform(0.3, 3.0)
        if at_s >= seconds:
            return gusts
        fault = chance.choice(possible)
        lasts_s = chance.uniform(*fault.seconds) if fault.cure else 0
        active = [gust for gust in gusts if gust.at_s + gust.lasts_s > at_s]
        if len(active) < AT_ONCE and not any(gust.fault.target == fault.target for gust in active):
            gusts.append(Gust(at_s, fault, lasts_s))


class Storm:
    """Strikes and cures as it was forecast. Its clock stands still while an action takes long on a slow machine, so that what comes
    after it keeps its distance. What would not be fair just then is left out."""

    def __init__(self, world, gusts, say=lambda text: None):
        self.world, self.gusts, self.say = world, list(gusts), say
        self.active = []  # (cured at, fault)
        self.struck, self.blown_s = {}, 0

    def blow(self, until_s):
        """From where it is. At the end all is cured."""
        begun = time.monotonic() - self.blown_s
        while (now := time.monotonic() - begun) < until_s:
            self.blown_s = now
            verdict.check_processes(self.world)
            self.cure(now)
            if self.gusts and self.gusts[0].at_s <= now:
                self.strike(self.gusts.pop(0), now)
            begun += max(0, time.monotonic() - begun - now - ACTION_S)
            time.sleep(0.1)
        self.cure(float("inf"))

    def strike(self, gust, now):
        fault = gust.fault
        self.cure(now, fault.target)
        if not fault.fair():
            self.say(f"{fault.name}: {fault.target}: not now")
            return
        self.say(f"{fault.name}: {fault.target}" + (f" for {gust.lasts_s:.1f} s" if fault.cure else ""))
        self.struck[fault.name] = self.struck.get(fault.name, 0) + 1
        try:
            fault.strike()
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            self.say(f"  (was hurt already: {type(error).__name__})")
        if fault.cure:
            self.active.append((now + gust.lasts_s, fault))

    def cure(self, now, target=None):
        """What is due, and, before something else strikes a target, what it still suffers from."""
        for due, fault in list(self.active):
            if due <= now or fault.target == target:
                self.active.remove((due, fault))
                self.try_to_cure(fault)

    @staticmethod
    def try_to_cure(fault, tries=5):
        for left in range(tries, 0, -1):
            try:
                fault.cure()
                return
            except (OSError, ValueError, subprocess.SubprocessError):
                if left == 1:
                    raise
                time.sleep(2)
