"""Calls that are not for this code, and words that must not stay in it.

Unbounded or locale-bound string functions, shells, non-reentrant functions, and, in what runs inside somebody's JVM,
anything that ends the process or writes to its standard output."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

EVERYWHERE = {
    "strcpy": "snprintf or memcpy with a checked length", "strcat": "snprintf", "stpcpy": "snprintf",
    "sprintf": "snprintf", "vsprintf": "vsnprintf", "gets": "fgets", "strtok": "strtok_r", "alloca": "an arena",
    "atoi": "strtol", "atol": "strtol", "atoll": "strtoll", "scanf": "strtol", "sscanf": "strtol",
    "system": "nothing: no shells", "popen": "nothing: no shells", "rand": "getrandom", "srand": "getrandom",
    "localtime": "gmtime_r", "gmtime": "gmtime_r", "ctime": "strftime", "asctime": "strftime",
    "tmpnam": "mkstemp", "mktemp": "mkstemp", "setenv": "nothing: other threads read it",
    "usleep": "poll", "signal": "sigaction",
}
INSIDE_THE_JVM = {"abort": "an error", "exit": "an error", "_exit": "an error", "printf": "zs_logf",
                  "puts": "zs_logf", "perror": "zs_logf"}
PROGRAMS = ("native/daemon/", "native/cli/", "native/options/optdoc.c",
            "native/base/failpoint.c")  # in test builds only, and there to kill
LEFTOVERS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
TEXT = {".c", ".h", ".java", ".py", ".sh", ".md", ".txt", ".cmake", ".json", ".yml", ".example", ".service", ".in"}
TOPS = ("native", "java-shim", "conf", "tests")


def without_comments(text):
    """The same text with comments and literals blanked, line by line."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def banned_calls(source, name):
    banned = dict(EVERYWHERE)
    if name.startswith("native/") and not name.startswith(PROGRAMS):
        banned.update(INSIDE_THE_JVM)
    pattern = re.compile(r"(?<![\w.>])(" + "|".join(banned) + r")\s*\(")
    for number, line in enumerate(without_comments(source).splitlines(), 1):
        for call in pattern.findall(line):
            yield f"{name}:{number}: {call}() is not used here; instead: {banned[call]}"


def main():
    problems, count = [], 0
    for top in TOPS:
        for path in sorted((ROOT / top).rglob("*")):
            name = str(path.relative_to(ROOT))
            if path.suffix not in TEXT or not path.is_file() or path == pathlib.Path(__file__).resolve():
                continue
            text = path.read_text(errors="replace")
            count += 1
            if path.suffix in (".c", ".h") and top == "native":
                problems += banned_calls(text, name)
            for number, line in enumerate(text.splitlines(), 1):
                if LEFTOVERS.search(line):
                    problems.append(f"{name}:{number}: unfinished business: {line.strip()}")
    print("\n".join(problems) or f"words: {count} files are in order")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
