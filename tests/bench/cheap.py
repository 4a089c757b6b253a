"""The cheap rows as tests: one short round each, against bounds so wide that only a mistake passes them, in a build of any kind.

cheap.py NAME DIRECTORY   DIRECTORY holds the benchmark's programs"""

import json
import os
import subprocess
import sys


def run(directory, *arguments):
    text = subprocess.run([os.path.join(directory, arguments[0]), *arguments[1:]], check=True, timeout=240,
                          capture_output=True, text=True).stdout
    return json.loads(text.splitlines()[-1])


def encode(directory):
    """Optimised it is 0.5; without optimisation only our half gets slower."""
    result = run(directory, "bench_pure", "encode", "registry")
    yield "txns/s against LZ4 alone", result["ours"] / result["baseline"], 0.1, None
    yield "allocations while warm", result["allocations"], None, 0


def wire(directory):
    for txns, most in ((1, 1.1), (10, 0.45), (256, 0.33)):
        result = run(directory, "bench_pure", "wire", "registry", str(txns))
        yield f"bytes of a batch of {txns} against its txns'", result["ours"] / result["baseline"], None, most


def main():
    name, directory = sys.argv[1:]
    failed = False
    for what, value, least, most in {"encode": encode, "wire": wire}[name](directory):
        wrong = (least is not None and value < least) or (most is not None and value > most)
        failed |= wrong
        print(f"{what}: {value:.3f}{' (allowed: ' if wrong else ''}"
              f"{f'{least} or more)' if wrong and least is not None else f'{most} or less)' if wrong else ''}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
