#!/bin/sh
# Rewrites what is made from the option table and is in the tree: conf/*.example and the options' section of
# OPERATING.md. With --check it changes nothing, and fails when something is stale.
set -eu

usage() {
    echo "usage: $0 [--check] BUILD_DIR" >&2
    exit 2
}

check=no
if [ "${1-}" = --check ]; then
    check=yes
    shift
fi
[ $# -eq 1 ] || usage
optdoc=$1/native/options/zoospan-optdoc
tree=$(cd "$(dirname "$0")/../.." && pwd)
begin='<!-- options:begin (made by zoospan-optdoc; do not edit) -->'
end='<!-- options:end -->'
[ -x "$optdoc" ] || { echo "$0: $optdoc is not there; build the target zoospan-optdoc first" >&2; exit 2; }
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
stale=0

# settle FILE: compares $new/FILE with the tree's, or puts it there.
settle() {
    made=$new/$(basename "$1")
    cmp -s "$made" "$tree/$1" && return
    if [ $check = yes ]; then
        echo "$1 is stale; run: ./tests/lint/update-docs.sh BUILD_DIR" >&2
        diff -u "$tree/$1" "$made" >&2 || true
        stale=1
    else
        cp "$made" "$tree/$1"
        echo "$1 updated"
    fi
}

"$optdoc" example plugin >"$new/zoo.cfg.example"
settle conf/zoo.cfg.example
"$optdoc" example applier >"$new/applier.conf.example"
settle conf/applier.conf.example

for marker in "$begin" "$end"; do
    [ "$(grep -cFx -e "$marker" "$tree/OPERATING.md")" = 1 ] || {
        echo "OPERATING.md: expected exactly one line: $marker" >&2
        exit 1
    }
done
{
    sed "/^$begin\$/q" "$tree/OPERATING.md"
    echo
    "$optdoc" markdown plugin
    echo
    "$optdoc" markdown applier
    echo
    sed -n "/^$end\$/,\$p" "$tree/OPERATING.md"
} >"$new/OPERATING.md"
settle OPERATING.md
exit $stale
