#!/bin/bash
# Installs what building, running and testing ZooSpan needs from Debian 12's own archive. As root. Starts no service:
# Debian would start ZooKeeper's and RabbitMQ's on their well-known ports, where a server of the machine's owner may be.
# Does nothing, quickly and without network, when everything is there. Arguments are further packages.
set -euo pipefail

packages=(
    # building
    gcc libc6-dev cmake ninja-build pkg-config default-jdk-headless
    libzookeeper-mt-dev librabbitmq-dev libssl-dev liblz4-dev libjansson-dev libzookeeper-java libslf4j-java
    # running the sites
    zookeeper rabbitmq-server libservlet-api-java python3 python3-kazoo
    # testing
    iproute2 iptables git libcmocka-dev libfaketime junit4 python3-pytest python3-pytest-xdist libcurator-recipes-java
    clang libclang-rt-14-dev clang-format clang-tidy cppcheck
    "$@"
)

missing=()
for package in "${packages[@]}"; do
    state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
    echo "packages: all ${#packages[@]} are installed"
    exit 0
fi
if [ "$(id -u)" != 0 ]; then
    echo "install.sh: these packages are missing and installing them needs root: ${missing[*]}" >&2
    echo "install.sh: run it as: sudo $0" >&2
    exit 1
fi

echo "packages: installing ${#missing[@]} of ${#packages[@]}: ${missing[*]}"
policy=/usr/sbin/policy-rc.d
log=$(mktemp /tmp/zoospan-install.XXXXXX)
placed=
tidy() { [ -z "$placed" ] || rm -f "$policy"; }
trap tidy EXIT
trap 'exit 130' INT TERM
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    placed=yes
fi
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 25 "$log" >&2
    echo "install.sh: apt-get failed; its whole output is in $log" >&2
    exit 1
fi
rm -f "$log"
echo "packages: done"
