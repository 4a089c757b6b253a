"""The floors of native/CMakeLists.txt hold: a module includes headers of lower floors only, and of those only what its
CMakeLists.txt names in USES (or what lies beneath that). Modules on one floor do not know each other."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
NATIVE = ROOT / "native"
FLOORS = [["base"], ["options", "filter", "txn", "stamp", "capture", "amqp"], ["wire", "broker", "txnlog"], ["sender", "applier"],
          ["plugin", "daemon", "cli"]]
FLOOR = {module: number for number, modules in enumerate(FLOORS) for module in modules}


def declared():
    """module -> the modules it may see, by its zs_module(... USES ...), closed downwards; None where there is none."""
    uses = {}
    for module in FLOOR:
        listing = NATIVE / module / "CMakeLists.txt"
        text = listing.read_text() if listing.exists() else ""
        call = re.search(rf"zs_module\(\s*{module}\b([^)]*)\)", text)
        if call:
            named = re.search(r"\bUSES\s+([a-z ]+)", call.group(1).replace("\n", " "))
            uses[module] = set(named.group(1).split()) if named else set()
    closed = {}

    def close(module):
        if module not in closed:
            closed[module] = set()
            for used in uses.get(module, ()):
                closed[module] |= {used} | close(used)
        return closed[module]

    return {module: close(module) for module in uses}


def main():
    problems = []
    for folder in NATIVE.iterdir():
        if folder.is_dir() and folder.name not in FLOOR:
            problems.append(f"native/{folder.name}: not in the table of floors (tests/lint/floors.py)")
    home = {header.name: header.parent.name for header in NATIVE.glob("*/*.h")}
    allowed = declared()
    for module, seen in allowed.items():
        for used in sorted(seen):
            if FLOOR.get(used, 99) >= FLOOR[module]:
                problems.append(f"native/{module}/CMakeLists.txt: uses {used}, which is not on a lower floor")
    for source in sorted(NATIVE.glob("*/*.[ch]")):
        module = source.parent.name
        for number, line in enumerate(source.read_text().splitlines(), 1):
            include = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not include:
                continue
            owner = home.get(include.group(1))
            where = f"{source.relative_to(ROOT)}:{number}: {include.group(1)}"
            if owner is None or owner == module:
                continue
            if FLOOR.get(owner, 99) >= FLOOR.get(module, -1):
                problems.append(f"{where} is of {owner}, which is not on a lower floor than {module}")
            elif module in allowed and owner not in allowed[module]:
                problems.append(f"{where} is of {owner}, which {module} does not name in USES")
    print("\n".join(problems) or f"floors: {len(home)} headers in {len(FLOOR)} modules are in order")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
