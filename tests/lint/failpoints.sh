#!/bin/sh
# failpoints.sh BUILD_DIR yes|no: whether the programs and the library of a build hold failpoints. What is installed must not.
set -eu
[ $# -eq 2 ] || { echo "usage: $0 BUILD_DIR yes|no" >&2; exit 2; }
status=0
for file in "$1"/native/daemon/zoospan-applier "$1"/native/cli/zoospan "$1"/native/plugin/libzoospan.so; do
    [ -e "$file" ] || { case $file in *.so) continue ;; esac; echo "$file is missing" >&2; exit 1; }
    found=no
    ! grep -q ZOOSPAN_FAILPOINTS "$file" || found=yes
    echo "$file: failpoints: $found"
    [ "$found" = "$2" ] || { echo "$file: expected $2" >&2; status=1; }
done
exit $status
