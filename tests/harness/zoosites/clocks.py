"""A wall clock of its own for a process that the harness starts: libfaketime. It may be stepped while the process runs."""

import glob
import os

from . import files


class Clock:
    """Of one process, or of several. Tells the true time until it is set."""

    def __init__(self, path):
        self.path = path
        self.set(0)

    def set(self, ahead_s):
        """So many seconds ahead of the true time; a process sees it within a second or so."""
        files.write(self.path, f"{ahead_s:+d}\n")

    def environment(self):
        """What a process needs to have this clock."""
        library = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        assert library, "libfaketime is not installed: run tests/harness/install.sh"
        return {"LD_PRELOAD": library[0], "FAKETIME_TIMESTAMP_FILE": self.path, "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
                # With it, what waits for a time of the monotonic clock does not wait at all.
                "FAKETIME_FORCE_MONOTONIC_FIX": "0"}
