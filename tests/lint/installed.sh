#!/bin/sh
# Installs a build twice, to its own prefix and to another one, and looks whether what lies there fits together: the
# unit starts the program that was installed, and its user and the manual pages are there.
set -eu
[ $# -eq 1 ] || { echo "usage: $0 BUILD_DIR" >&2; exit 2; }
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

# look PREFIX [ARGUMENT...]: installs with the arguments, to PREFIX.
look() {
    top=$root/tree$1
    prefix=$1
    shift
    DESTDIR=$root/tree cmake --install "$build" "$@" >"$root/log" 2>&1 || { cat "$root/log" >&2; exit 1; }
    unit=$top/lib/systemd/system/zoospan-applier.service
    program=$(sed -n 's/^ExecStart=\([^ ]*\) .*/\1/p' "$unit")
    user=$(sed -n 's/^User=//p' "$unit")
    [ -x "$root/tree$program" ] || { echo "$prefix: the unit starts $program, which is not there" >&2; exit 1; }
    grep -q "^u $user " "$top/lib/sysusers.d/zoospan.conf" || { echo "$prefix: nothing makes user $user" >&2; exit 1; }
    for file in share/man/man8/zoospan-applier.8 share/man/man8/zoospan.8 share/man/man5/zoospan.cfg.5 \
        share/doc/zoospan/examples/applier.conf.example share/doc/zoospan/examples/zoo.cfg.example; do
        [ -s "$top/$file" ] || { echo "$prefix: $file is missing" >&2; exit 1; }
    done
    "$(dirname "$root/tree$program")/zoospan" --version >/dev/null || { echo "$prefix: zoospan does not start" >&2; exit 1; }
    rm -rf "$root/tree"
    echo "$prefix: the unit starts $program as $user"
}

build=$1
look "$(sed -n 's/^CMAKE_INSTALL_PREFIX:PATH=//p' "$build/CMakeCache.txt")"
look /opt/elsewhere --prefix /opt/elsewhere
