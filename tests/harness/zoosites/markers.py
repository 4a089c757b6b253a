"""Watches the markers of all sites while everything else falls over: within a history a marker only rises."""

import json
import threading

from kazoo.exceptions import KazooException, NoNodeError
from kazoo.handlers.threading import KazooTimeoutError


class Watch:
    def __init__(self, sites, clients, period_s=0.3):
        self.sites, self.clients, self.period_s = sites, clients, period_s
        self.seen = {}  # (site, origin) -> (history, zxid)
        self.falls, self.looks = [], 0
        self.left_out = set()  # sites that are wiped or restored just now
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run, name="markers", daemon=True)

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        self.ended.set()
        self.thread.join(60)

    def _run(self):
        while not self.ended.wait(self.period_s):
            for site in self.sites:
                for other in self.sites:
                    if other is not site and site.name not in self.left_out:
                        try:
                            self._look(site.name, other.name)
                        except (KazooException, KazooTimeoutError, OSError):
                            pass  # that ensemble is hurt at the moment

    def forget(self, site):
        """Its markers begin anew."""
        self.seen = {key: value for key, value in self.seen.items() if key[0] != site}
        self.left_out.discard(site)

    def _look(self, site, origin):
        client = self.clients[site]
        if not client.connected:
            return
        try:
            # A server may lag behind the one that answered before: what was seen is compared after a sync.
            client.sync_async(f"/zoospan/applied/{origin}").get(timeout=3)
            marker = json.loads(client.get_async(f"/zoospan/applied/{origin}").get(timeout=3)[0])
        except NoNodeError:
            return
        now = (marker["history"], int(marker["zxid"], 16))
        before = self.seen.get((site, origin))
        self.looks += 1
        if before is not None and before[0] == now[0] and now[1] < before[1]:
            self.falls.append(f"{site}: marker of {origin} fell from {before[1]:#x} to {now[1]:#x}")
        self.seen[(site, origin)] = now
