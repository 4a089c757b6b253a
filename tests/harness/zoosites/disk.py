"""A file system of a few megabytes, which can be filled and freed. Needs root."""

import contextlib
import os
import subprocess


class SmallDisk:
    def __init__(self, directory, megabytes):
        self.dir = directory
        self.filler = os.path.join(directory, "filler")
        os.makedirs(directory, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "zoospan-test", directory], check=True,
                       capture_output=True, timeout=60)

    def fill(self):
        """Not a byte is left."""
        with open(self.filler, "ab", buffering=0) as filler, contextlib.suppress(OSError):
            for size in (1 << 20, 1 << 12):
                with contextlib.suppress(OSError):
                    while filler.write(b"x" * size) == size:
                        pass

    def free(self):
        os.unlink(self.filler)

    def remove(self):
        """What stands there must not be in use any more."""
        subprocess.run(["umount", self.dir], check=True, capture_output=True, timeout=60)
