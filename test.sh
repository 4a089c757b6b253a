#!/bin/bash
# sudo ./test.sh                     installs what is missing, builds, and runs every test
# ./test.sh unit|lint|fuzz           one part
# ./test.sh e2e [pytest arguments]   the end-to-end scenarios, e.g. ./test.sh e2e -k filters -x
# ./test.sh chaos [--minutes M] [--seed S]   random faults under load, then the judge (see tests/chaos/run)
#
# Parts go on after a failure, so that one run tells all; the exit code says whether everything passed. pytest's summary
# is the last thing printed.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$root" || exit 1
results=()
failed=0

usage() { sed -n '2,5s/^# //p' "$0"; }

# step NAME command...: runs it and remembers how it went.
step() {
    local name=$1 started=$SECONDS verdict=passed
    shift
    echo "=== $name"
    "$@" || { verdict=FAILED failed=1; }
    results+=("$(printf '%-28s %-7s %4d s' "$name" "$verdict" $((SECONDS - started)))")
    [ "$verdict" = passed ]
}

# test_preset PRESET [ctest argument...]: builds what these tests need (in presets that run a few of them only) and runs them.
test_preset() {
    local preset=$1 targets=()
    shift
    case $preset in
    tsan | fuzz)
        cmake --preset "$preset" >/dev/null || return 1
        mapfile -t targets < <(ctest --preset "$preset" -N "$@" | sed -n 's/.*: unit\./test_/p; s/.*: fuzz\./fuzz_/p')
        [ ${#targets[@]} -gt 0 ] || { echo "preset $preset selects no test" >&2; return 1; }
        ;;
    esac
    tests/harness/build.sh "$preset" "${targets[@]}" && ctest --preset "$preset" "$@"
}

unit() {
    # The applier's tests against real servers are the longest: once is enough, with sanitizers.
    step "unit, Java, golden (dev)" test_preset dev -LE lint -E '^unit[.]applier_live$'
    step "unit (ASan + UBSan)" test_preset asan-ubsan -LE lint
    step "unit, threads (TSan)" test_preset tsan
}

lint() {
    step "lint" test_preset dev -L lint
    step "shell syntax" bash -n demo.sh test.sh .ci/run tests/harness/*.sh tests/bench/*.sh
}

fuzz() { step "fuzz (bounded)" test_preset fuzz -j 2; }

run_pytest() {
    local run_dir
    run_dir=$(mktemp -d /tmp/zoospan-e2e.XXXXXX)
    if ZOOSPAN_RUN_DIR=$run_dir /usr/bin/python3 -B -m pytest -c tests/e2e/pytest.ini tests/e2e "$@"; then
        rm -rf "$run_dir"
    else
        echo "configuration, data and logs of that run are kept in $run_dir" >&2
        return 1
    fi
}

e2e() {
    step "release build" tests/harness/build.sh release || return
    step "no failpoint in it" sh tests/lint/failpoints.sh build/release no
    summary
    step "end to end" run_pytest "$@"
    results=()
}

chaos() {
    step "release build" tests/harness/build.sh release || return
    step "chaos (random faults)" tests/chaos/run "$@"
}

summary() {
    [ ${#results[@]} -eq 0 ] || printf '%s\n' "--- so far:" "${results[@]}"
}

case ${1:-all} in
all)
    step "packages" tests/harness/install.sh || exit 1
    unit
    lint
    fuzz
    chaos --minutes 1.5 --seed 1
    e2e
    ;;
unit | lint | fuzz) "$1" ;;
e2e | chaos)
    part=$1
    shift
    "$part" "$@"
    ;;
-h | --help | help) usage && exit 0 ;;
*) usage >&2 && exit 2 ;;
esac
summary
[ $failed = 0 ] || echo "test.sh: something FAILED" >&2
exit $failed
