"""Figures: the ratio of ours to a baseline, round by round, and the goal it is held against."""

import json
import statistics
import sys


def spell(number):
    """A number with as many digits as mean something."""
    if number >= 1000:
        return f"{number:,.0f}"
    return f"{number:.3g}" if number >= 0.1 else f"{number:.2g}"


class Figure:
    """`pairs`: (baseline, ours) of each round. `better` is "higher" or "lower": on which side of the goal we want to be."""

    def __init__(self, name, pairs, goal, better, unit, note=""):
        self.name, self.goal, self.better, self.unit, self.note = name, goal, better, unit, note
        self.pairs = [pair for pair in pairs if pair[0]]
        ratios = [ours / baseline for baseline, ours in self.pairs]
        self.ratio = statistics.median(ratios)
        self.low, self.high = min(ratios), max(ratios)
        self.baseline = statistics.median(baseline for baseline, _ in self.pairs)
        self.ours = statistics.median(ours for _, ours in self.pairs)

    @property
    def met(self):
        return self.ratio >= self.goal if self.better == "higher" else self.ratio <= self.goal

    def line(self):
        value = {"name": self.name, "ratio": round(self.ratio, 4), "goal": self.goal, "better": self.better,
                 "met": self.met, "baseline": self.baseline, "ours": self.ours, "unit": self.unit,
                 "rounds": len(self.pairs), "low": round(self.low, 4), "high": round(self.high, 4)}
        if self.note:
            value["note"] = self.note
        return json.dumps(value)

    def cells(self):
        sign = ">=" if self.better == "higher" else "<="
        return [self.name, f"{spell(self.baseline)}", f"{spell(self.ours)} {self.unit}", spell(self.ratio),
                f"{spell(self.low)} to {spell(self.high)}", f"{sign} {self.goal}", "yes" if self.met else "NO",
                str(len(self.pairs))]


class Table:
    HEAD = ["name", "baseline", "ours", "ratio", "range", "goal", "met", "rounds"]

    def __init__(self, as_json):
        self.as_json, self.rows, self.notes = as_json, [], []

    def add(self, figure):
        if self.as_json:
            print(figure.line(), flush=True)
        else:
            print(f"  {figure.name}: {spell(figure.ratio)}", file=sys.stderr, flush=True)
        self.rows.append(figure.cells())
        if figure.note:
            self.notes.append(f"{figure.name}: {figure.note}")

    def add_note(self, name, text):
        self.notes.append(f"{name}: {text}")
        print(f"  {name}: {text}", file=sys.stderr, flush=True)

    def show(self):
        if self.as_json:
            return
        lines = [self.HEAD, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.HEAD))]
        for line in lines:
            print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
        for note in self.notes:
            print(note)
