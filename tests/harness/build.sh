#!/bin/bash
# build.sh PRESET [ninja target...]: configures (when needed) and builds one CMake preset. Quiet when all is well: the
# compiler's output is shown only if something fails.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
preset=${1:?usage: build.sh PRESET [ninja target...]}
shift
cd "$root"
log=$(mktemp /tmp/zoospan-build.XXXXXX)
trap 'rm -f "$log"' EXIT
started=$SECONDS

run() {
    if ! "$@" >"$log" 2>&1; then
        tail -n 60 "$log" >&2
        echo "build.sh: '$*' failed in preset $preset" >&2
        exit 1
    fi
}
run cmake --preset "$preset"
run ninja -C "build/$preset" "$@"
echo "build: $preset is up to date in build/$preset ($((SECONDS - started)) s)"
