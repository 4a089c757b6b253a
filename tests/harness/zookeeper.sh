#!/bin/bash
# One standalone ZooKeeper of our own for C tests and golden logs, on a free port of 127.0.0.1, files in one directory.
#
#   zookeeper.sh start DIR     starts it, or starts it again on the same port and data
#   zookeeper.sh crash DIR     kill -9
#   zookeeper.sh stop DIR      kills it, and removes DIR
#
# DIR/port and DIR/pid say where it is. The superuser is super:secret. ZOOKEEPER_CLASSPATH: another version than Debian's.
set -euo pipefail
[ $# -eq 2 ] || {
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
}
dir=$(realpath -m "$2")
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")

write_config() {
    mkdir -p "$dir/data"
    python3 "$here/zoosites/ports.py" 1 >"$dir/port"
    # Short ticks: what a test lets expire does so at once. But a session may outlive the stalls of a loaded machine.
    cat >"$dir/zoo.cfg" <<CONF
tickTime=500
maxSessionTimeout=60000
dataDir=$dir/data
clientPort=$(cat "$dir/port")
clientPortAddress=127.0.0.1
maxClientCnxns=0
admin.enableServer=false
extendedTypesEnabled=true
CONF
}

serves() {
    local reply
    exec 3<>"/dev/tcp/127.0.0.1/$(cat "$dir/port")" || return 1
    printf srvr >&3
    read -r reply <&3 || true
    exec 3>&-
    [[ $reply == Zookeeper* ]]
}

start() {
    local digest jars=${ZOOKEEPER_CLASSPATH:-}
    [ -e "$dir/zoo.cfg" ] || write_config
    digest=$(printf 'super:secret' | openssl dgst -sha1 -binary | base64)
    [ -n "$jars" ] || jars=$(ls /usr/share/java/{zookeeper,zookeeper-jute,slf4j-api,slf4j-simple,jline,metrics-core,snappy-java}.jar \
        /usr/share/java/netty-*.jar 2>/dev/null | tr '\n' ':' || true)
    # Containers are looked after every second: a test sees by their end that they are some.
    setsid java -Xmx256m -Dzookeeper.DigestAuthenticationProvider.superDigest="super:$digest" \
        -Dznode.container.checkIntervalMs=1000 -cp "$jars" \
        org.apache.zookeeper.server.quorum.QuorumPeerMain "$dir/zoo.cfg" >>"$dir/log" 2>&1 </dev/null &
    echo $! >"$dir/pid"
    for _ in $(seq 1200); do
        serves 2>/dev/null && return
        sleep 0.1
    done
    tail -20 "$dir/log" >&2
    exit 1
}

# A pid alone may be somebody else's by now.
is_ours() { [ -n "$1" ] && tr '\0' '\n' <"/proc/$1/cmdline" 2>/dev/null | grep -qxF "$dir/zoo.cfg"; }

crash() {
    local pid
    pid=$(cat "$dir/pid" 2>/dev/null || true)
    if is_ours "$pid"; then
        kill -KILL "$pid" 2>/dev/null || true
        while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done # its port is free when it has gone
    fi
    rm -f "$dir/pid"
}

case $1 in
start) start ;;
crash) crash ;;
stop)
    crash
    rm -rf "$dir"
    ;;
*) exit 2 ;;
esac
