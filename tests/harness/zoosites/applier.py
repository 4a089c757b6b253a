"""A site's zoospan-applier: its configuration file, its process, its status."""

import json
import os

from . import build, files
from .processes import Process, StartError, wait_for


class Applier:
    def __init__(self, directory, site):
        self.dir, self.site = directory, site
        self.config = os.path.join(directory, "applier.conf")
        self.log = os.path.join(directory, "applier.log")
        self.status_file = os.path.join(directory, "status.json")
        self.options = {}  # without the prefix "zoospan."
        self.program = build.applier_program()
        self.environment = {}  # beside our own
        self.process = None

    def write_config(self):
        lines = {"site": self.site, "status_file": self.status_file, **self.options}
        files.write(self.config, "".join(f"zoospan.{key} = {value}\n" for key, value in lines.items()
                                         if value is not None))

    def start(self):
        if not os.path.exists(self.program):
            raise StartError(f"{self.program} is missing: run tests/harness/build.sh release")
        if os.path.exists(self.status_file):
            os.unlink(self.status_file)
        self.process = Process.spawn([self.program, "--config", self.config], self.log,
                                     env={**os.environ, **self.environment}, cwd=self.dir)

    def status(self):
        """What it wrote last; {} before it did."""
        try:
            with open(self.status_file) as status:
                return json.load(status)
        except (FileNotFoundError, ValueError):
            return {}

    def wait_ready(self, timeout_s=60):
        wait_for(f"applier of site {self.site}", timeout_s, self.status, self.process)

    def stop(self, timeout_s=15):
        if self.process is not None:
            self.process.terminate(timeout_s)

    def kill(self):
        self.process.kill()

    def read_log(self):
        return files.read_log(self.log)
