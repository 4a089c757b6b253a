#!/bin/bash
# One RabbitMQ of our own for the C tests: unprivileged, on free ports of 127.0.0.1, with all its files in one directory.
#
#   broker.sh start DIR [management]   starts it, makes the users, writes DIR/env
#   broker.sh ctl DIR ARGUMENT...      rabbitmqctl against it
#   broker.sh stop DIR                 stops it, and removes DIR
#
# DIR/env is for this script and for shells (exported variables); DIR/ports for programs: "AMQP_PORT MGMT_PORT TLS_PORT PID"
# (MGMT_PORT is 0 without management). Users: tester (may do everything), consumer (no configure permission, as an
# applier); DIR/password holds the password of both. DIR/ca.pem is the certificate of the TLS port, made out to localhost.
set -euo pipefail

usage() {
    sed -n '2,12s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

tool() {
    local name=$1
    shift
    # shellcheck disable=SC1091
    (. "$dir/env" && exec "$RABBITMQ_BIN/$name" "$@")
}

write_files() {
    local amqp=$1 mgmt=$2 tls=$3 dist=$4 epmd=$5 bin
    bin=$(ls -d /usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin | tail -1)
    mkdir -p "$dir/home" "$dir/log"
    (umask 077 && od -An -tx1 -N16 /dev/urandom | tr -d ' \n' >"$dir/password")
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
        -keyout "$dir/key.pem" -out "$dir/ca.pem" 2>/dev/null
    cat >"$dir/rabbitmq.conf" <<CONF
listeners.tcp.1 = 127.0.0.1:$amqp
listeners.ssl.1 = 127.0.0.1:$tls
ssl_options.cacertfile = $dir/ca.pem
ssl_options.certfile = $dir/ca.pem
ssl_options.keyfile = $dir/key.pem
ssl_options.verify = verify_none
disk_free_limit.absolute = 50MB
CONF
    if [ "$mgmt" != 0 ]; then
        printf 'management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = %s\n' "$mgmt" >>"$dir/rabbitmq.conf"
        echo '[rabbitmq_management].' >"$dir/plugins"
    else
        echo '[].' >"$dir/plugins"
    fi
    cat >"$dir/env" <<ENV
export AMQP_PORT=$amqp MGMT_PORT=$mgmt ERL_EPMD_PORT=$epmd ERL_EPMD_ADDRESS=127.0.0.1
export HOME='$dir/home' RABBITMQ_BIN='$bin' RABBITMQ_NODENAME=zoospan-$amqp@localhost
export RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT=$amqp RABBITMQ_DIST_PORT=$dist
export RABBITMQ_CONFIG_FILE='$dir/rabbitmq.conf' RABBITMQ_ENABLED_PLUGINS_FILE='$dir/plugins'
export RABBITMQ_MNESIA_BASE='$dir/mnesia' RABBITMQ_LOG_BASE='$dir/log' RABBITMQ_PID_FILE='$dir/pid'
export RABBITMQ_CONF_ENV_FILE=/dev/null
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}'
ENV
}

make_users() {
    local user
    for user in tester consumer; do
        tool rabbitmqctl -q add_user "$user" <"$dir/password" >/dev/null
    done
    tool rabbitmqctl -q set_permissions tester '.*' '.*' '.*'
    tool rabbitmqctl -q set_permissions consumer '^$' '.*' '.*'
}

start() {
    local amqp mgmt tls dist epmd
    [ -e "$dir/pid" ] && stop
    rm -rf "$dir"
    mkdir -p "$dir"
    read -r amqp mgmt tls dist epmd <<<"$(python3 "$(dirname "${BASH_SOURCE[0]}")/zoosites/ports.py" 5)"
    [ "${1-}" = management ] || mgmt=0
    write_files "$amqp" "$mgmt" "$tls" "$dist" "$epmd"
    # shellcheck disable=SC1091
    (. "$dir/env" && exec setsid "$RABBITMQ_BIN/rabbitmq-server" >"$dir/log/out" 2>&1 </dev/null) &
    if ! tool rabbitmqctl -q wait --timeout 240 "$dir/pid" >/dev/null; then
        cat "$dir/log/out" >&2
        exit 1
    fi
    make_users
    echo "$amqp $mgmt $tls $(cat "$dir/pid")" >"$dir/ports"
}

# A pid alone may be somebody else's by now.
is_ours() { [ -n "$1" ] && tr '\0' '\n' <"/proc/$1/cmdline" 2>/dev/null | grep -qxF "$dir/home"; }

stop() {
    [ -e "$dir/env" ] || return 0
    local pid
    pid=$(cat "$dir/pid" 2>/dev/null || true)
    if is_ours "$pid" && kill -CONT "$pid" 2>/dev/null; then
        kill "$pid"
        for _ in $(seq 100); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL "$pid" 2>/dev/null || true
    fi
    # shellcheck disable=SC1091
    (. "$dir/env" && epmd -kill >/dev/null 2>&1) || true # the name server that this node started, on its own port
    rm -rf "$dir"
}

[ $# -ge 2 ] || usage
command=$1
mkdir -p "$(dirname "$2")"
dir=$(realpath -m "$2")
shift 2
case $command in
start) start "$@" ;;
ctl) tool rabbitmqctl -q "$@" ;;
stop) stop ;;
*) usage ;;
esac
