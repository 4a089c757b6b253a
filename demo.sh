#!/bin/bash
# sudo ./demo.sh: installs what is missing, builds, brings up two sites on the loopback interface, shows them
# replicate, and stops everything. See `./demo.sh --help` for up, status and down.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
case ${1:-run} in
run | up)
    "$root/tests/harness/install.sh"
    "$root/tests/harness/build.sh" release zoospan zoospan_jar zoospan-applier
    ;;
esac
exec /usr/bin/python3 -B "$root/tests/harness/demo.py" "$@"
