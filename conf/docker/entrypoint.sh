#!/bin/sh
# What a container of docker-compose.yml runs: one role, its configuration written at the start.
#   secrets SITE...              makes the passwords that are missing, ends
#   zookeeper SITE ID [DEST...]  server ID of SITE (4 is the observer); with destinations it carries the plugin
#   rabbitmq SITE PEER...        the RabbitMQ of SITE, with a user per peer's applier
#   applier SITE ORIGIN...       the applier of SITE
set -eu
umask 077
role=$1
site=$2

secret() { cat "/secrets/$1"; }

wait_for_secrets() {
    until [ -e /secrets/complete ]; do sleep 0.2; done
}

make_secrets() {
    for s in "$@"; do
        for name in "$s-zookeeper" "$s-admin" "$s-plugin" $(for p in "$@"; do echo "$s-applier-$p"; done); do
            [ -s "/secrets/$name" ] || openssl rand -hex 24 >"/secrets/$name"
        done
        printf 'digest:super:%s\n' "$(secret "$s-zookeeper")" >"/secrets/$s-zookeeper-auth"
    done
    touch /secrets/complete
}

run_zookeeper() {
    id=$2
    shift 2
    digest=$(printf 'super:%s' "$(secret "$site-zookeeper")" | openssl dgst -sha1 -binary | base64)
    mkdir -p /data/zk
    echo "$id" >/data/zk/myid
    {
        printf '%s\n' dataDir=/data/zk clientPort=2181 tickTime=1000 initLimit=30 syncLimit=10 admin.enableServer=true \
            extendedTypesEnabled=true "DigestAuthenticationProvider.superDigest=super:$digest"
        for n in 1 2 3; do echo "server.$n=$site-zk$n:2888:3888:participant"; done
        echo "server.4=$site-zk4:2888:3888:observer"
        [ "$id" != 4 ] || echo peerType=observer
        if [ $# -gt 0 ]; then
            printf '%s\n' serverCnxnFactory=io.zoospan.NIOFactory "zoospan.site=$site" \
                "zoospan.links=$(echo "$*" | tr ' ' ,)" "zoospan.amqp_uri=amqp://zoospan@$site-rabbitmq:5672/%2F" \
                "zoospan.amqp_password_file=/secrets/$site-plugin" "zoospan.server_name=$site-zk$id"
        fi
    } >/data/zoo.cfg
    jars=/usr/share/java
    exec java -Xmx256m -cp "$jars/zookeeper.jar:$jars/slf4j-simple.jar:$jars/servlet-api.jar:$jars/zoospan.jar" \
        org.apache.zookeeper.server.quorum.QuorumPeerMain /data/zoo.cfg
}

# name, permissions: one element of RabbitMQ's definitions, the password salted and hashed as RabbitMQ stores it.
user() {
    salt=$(openssl rand -hex 2)
    hash=$({
        printf %s "$salt"
        printf %s "$salt$(secret "$2")" | openssl dgst -sha256 -binary
    } | base64)
    printf '{"name":"%s","password_hash":"%s","hashing_algorithm":"rabbit_password_hashing_sha256","tags":"%s"}' \
        "$1" "$hash" "$3"
}

permit() {
    printf '{"user":"%s","vhost":"/","configure":"%s","write":"%s","read":"%s"}' "$1" "$2" "$3" "$4"
}

run_rabbitmq() {
    shift
    own="^zoospan\\\\.$site(\\\\..*)?\$"
    users="$(user admin "$site-admin" administrator),$(user zoospan "$site-plugin" "")"
    permissions="$(permit admin '.*' '.*' '.*'),$(permit zoospan "$own" "$own" "$own")"
    for peer in "$@"; do
        users="$users,$(user "zoospan-$peer" "$site-applier-$peer" "")"
        permissions="$permissions,$(permit "zoospan-$peer" '^$' "^zoospan\\\\.$site\\\\.$peer\\\\.feedback\$" \
            "^zoospan\\\\.$site\\\\.$peer\$")"
    done
    mkdir -p /data/rabbitmq
    printf '{"vhosts":[{"name":"/"}],"users":[%s],"permissions":[%s]}' "$users" "$permissions" >/data/definitions.json
    printf '%s\n' 'load_definitions = /data/definitions.json' 'loopback_users = none' >/data/rabbitmq.conf
    echo '[rabbitmq_management].' >/data/enabled_plugins
    export HOME=/data RABBITMQ_CONFIG_FILE=/data/rabbitmq.conf RABBITMQ_ENABLED_PLUGINS_FILE=/data/enabled_plugins \
        RABBITMQ_MNESIA_BASE=/data/rabbitmq RABBITMQ_LOGS=- RABBITMQ_LOG_BASE=/data RABBITMQ_NODENAME="rabbit@$(hostname)"
    exec /usr/lib/rabbitmq/bin/rabbitmq-server
}

run_applier() {
    shift
    {
        printf '%s\n' "zoospan.site=$site" "zoospan.links=$(echo "$*" | tr ' ' ,)" \
            "zoospan.zookeeper=$site-zk1:2181,$site-zk2:2181,$site-zk3:2181" \
            "zoospan.zookeeper_auth_file=/secrets/$site-zookeeper-auth" zoospan.status_file=/data/status.json
        for origin in "$@"; do
            printf '%s\n' "zoospan.link.$origin.amqp_uri=amqp://zoospan-$site@$origin-rabbitmq:5672/%2F" \
                "zoospan.link.$origin.amqp_password_file=/secrets/$origin-applier-$site"
        done
    } >/data/applier.conf
    exec /usr/bin/zoospan-applier --config /data/applier.conf
}

case $role in
secrets)
    shift
    make_secrets "$@"
    ;;
zookeeper | rabbitmq | applier)
    wait_for_secrets
    shift
    "run_$role" "$@"
    ;;
*)
    echo "zoospan-entrypoint: unknown role $role" >&2
    exit 64
    ;;
esac
