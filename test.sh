#!/bin/bash
# sudo ./test.sh                     installs what is missing, builds, and runs every test
# ./test.sh unit|lint|fuzz           one part
# ./test.sh e2e [pytest arguments]   the end-to-end scenarios, e.g. ./test.sh e2e -k filters -x
# ./test.sh chaos [--minutes M] [--seed S]   random faults under load, then the judge (see tests/chaos/run)
# ./test.sh long                     what takes hours: half hours of chaos on three seeds, and more (see CONTRIBUTING.md)
#
# Parts run side by side and go on after a failure, so that one run tells all (tests/harness/parts.py says which); the exit
# code says whether everything passed. pytest's summary is the last thing printed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
usage() { sed -n '2,6s/^# //p' test.sh; }

case ${1:-all} in
all | long) tests/harness/install.sh maven || exit 1 ;;
unit | lint | fuzz | e2e | chaos) ;;
-h | --help | help) usage && exit 0 ;;
*) usage >&2 && exit 2 ;;
esac
[ $# -gt 0 ] || set -- all
exec /usr/bin/python3 -B tests/harness/parts.py "$@"
