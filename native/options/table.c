// The rows. Order and groups are those of the documents; `./tests/lint/update-docs.sh` rewrites these after a change.
#include "zs_options.h"

enum { P = ZS_ROLE_PLUGIN, A = ZS_ROLE_APPLIER };

#define K INT64_C(1024)
#define M (K * K)
#define G (K * M)
#define T (K * G)
#define SECONDS INT64_C(1000)
#define MINUTES (60 * SECONDS)
#define HOURS (60 * MINUTES)

const struct zs_option zs_option_table[] = {
    // --- who is who
    {
        .name = "site",
        .group = "Sites",
        .roles = P | A,
        .type = ZS_TYPE_SITE,
        .required = true,
        .prose = "The name of the site that this server or applier belongs to. It is part of the names of "
                 "queues and "
                 "znodes: choose it once and do not change it.",
        .example = "sh",
    },
    {
        .name = "links",
        .group = "Sites",
        .roles = P | A,
        .type = ZS_TYPE_SITES,
        .required = true,
        .prose =
            "The sites at the other end, separated by commas. In zoo.cfg: the destinations that this site "
            "sends "
            "its writes to. In the applier's file: the origins whose writes it applies here; it may be empty "
            "there, and the applier then only keeps the site's history id, which a site that sends and "
            "receives "
            "nothing needs all the same.",
        .example = "bj",
    },

    // --- the plugin inside the server
    {
        .name = "library",
        .group = "Plugin",
        .roles = P,
        .type = ZS_TYPE_FILE,
        .prose =
            "Where libzoospan.so is. Without this option it is looked for beside zoospan.jar, then where the "
            "installation puts it. It must be of the same version as the jar.",
        .example = "/usr/lib/zoospan/libzoospan.so",
    },
    {
        .name = "on_error",
        .group = "Plugin",
        .roles = P,
        .type = ZS_TYPE_CHOICE,
        .choices = "refuse|disable",
        .fallback = "refuse",
        .prose =
            "What a server does when ZooSpan cannot start in it, because an option is wrong, the library is "
            "missing or of another version, or a password file cannot be read. With `refuse` the server does "
            "not start. With `disable` it logs the error and runs without ZooSpan; the links of the site "
            "then "
            "stand still unless another server of the site carries the plugin.",
    },
    {
        .name = "backlog_bytes_max",
        .group = "Plugin",
        .roles = P,
        .type = ZS_TYPE_BYTES,
        .fallback = "64M",
        .min = 32 * M,
        .max = 32 * G,
        .prose =
            "Memory for the backlog, the ring of recently committed txns that all links of this server read "
            "from. It is divided into 32 segments and a txn must fit into one: keep it above 32 times "
            "jute.maxbuffer. The end of a session is one txn that names all its ephemerals, and "
            "jute.maxbuffer "
            "does not bound it: a session with very many of them asks for more. A txn that does not fit "
            "costs "
            "each link an image of everything. A larger backlog bridges a longer outage of a broker.",
    },

    // --- RabbitMQ
    {
        .name = "amqp_uri",
        .group = "RabbitMQ",
        .roles = P | A,
        .per_link = true,
        .required = true,
        .type = ZS_TYPE_URI,
        .prose =
            "The RabbitMQ of the link's origin, as `amqp://user@host:port/vhost`, or `amqps://` for TLS. In "
            "zoo.cfg that is this site's own broker. In the applier's file it is the broker of the other "
            "site, "
            "so each link has its own. The nodes of a cluster are separated by commas "
            "(`amqp://user@a:5672,b:5672,c:5672/vhost`): they are tried in turn. The vhost is "
            "percent-encoded: "
            "`%2F` is the vhost `/`. A password does not belong here: see `zoospan.amqp_password_file`.",
        .example = "amqp://zoospan@rabbitmq.sh.example.org:5672/%2F",
        .example_applier = "amqps://zoospan-sh@rabbitmq.bj.example.org:5671/%2F",
    },
    {
        .name = "amqp_password_file",
        .group = "RabbitMQ",
        .roles = P | A,
        .per_link = true,
        .type = ZS_TYPE_SECRET_FILE,
        .prose =
            "A file whose first line is the password of the URI's user. It is read again at each login, so a "
            "new "
            "password needs no restart. Only its owner may have access (mode 0600 or 0400); of a file that "
            "is "
            "root's the group may read, too (0640 or 0440), as Kubernetes, systemd and Docker mount secrets. "
            "Without this option the password comes from the environment: `ZOOSPAN_AMQP_PASSWORD_LINK`, then "
            "`ZOOSPAN_AMQP_PASSWORD`, where LINK is the peer's name in upper case with `_` for `-`.",
        .example = "/etc/zoospan/amqp.password",
        .example_applier = "/etc/zoospan/amqp-bj.password",
    },
    {
        .name = "amqp_ca_file",
        .group = "RabbitMQ",
        .roles = P | A,
        .per_link = true,
        .type = ZS_TYPE_FILE,
        .prose = "The certificates (PEM) that are trusted to sign the broker's certificate, for `amqps://`. "
                 "Without "
                 "this option the system's are used.",
        .example = "/etc/zoospan/ca.pem",
    },
    {
        .name = "amqp_heartbeat",
        .group = "RabbitMQ",
        .roles = P | A,
        .type = ZS_TYPE_MS,
        .fallback = "2s",
        .min = 1 * SECONDS,
        .max = 10 * MINUTES,
        .prose = "The heartbeat of AMQP connections, in whole seconds: a peer that is silent for two of them "
                 "counts as gone. RabbitMQ takes up to three to notice, and only then another server or "
                 "applier of the site takes the place of one that stopped without a word: with 2s within "
                 "10 seconds.",
    },
    {
        .name = "amqp_timeout",
        .group = "RabbitMQ",
        .roles = P | A,
        .type = ZS_TYPE_MS,
        .fallback = "10s",
        .min = 100,
        .max = 10 * MINUTES,
        .prose = "How long a single call to the broker may take, to connect and log in for example. A call "
                 "that is "
                 "overdue ends its connection, and the link starts over.",
    },
    {
        .name = "retry_min",
        .group = "RabbitMQ",
        .roles = P | A,
        .type = ZS_TYPE_MS,
        .fallback = "100ms",
        .min = 10,
        .max = 1 * MINUTES,
        .prose = "The pause before the first try to connect again. It doubles from try to try, up to "
                 "`zoospan.retry_max`, with some jitter.",
    },
    {
        .name = "retry_max",
        .group = "RabbitMQ",
        .roles = P | A,
        .type = ZS_TYPE_MS,
        .fallback = "1s",
        .min = 100,
        .max = 1 * HOURS,
        .prose =
            "The longest pause between two tries to connect again. It bounds how late a link goes on when "
            "its broker is back.",
    },
    {
        .name = "queue_type",
        .group = "RabbitMQ",
        .roles = P,
        .per_link = true,
        .type = ZS_TYPE_CHOICE,
        .choices = "classic|quorum",
        .fallback = "classic",
        .prose =
            "What the queues of a link are made as. `classic`: on one node of the cluster, and away while "
            "that is. `quorum`: on up to three nodes, and there as long as most of them are. A queue that "
            "exists is used as it is, and the log says so.",
    },
    {
        .name = "queue_bytes_max",
        .group = "RabbitMQ",
        .roles = P,
        .per_link = true,
        .type = ZS_TYPE_BYTES,
        .fallback = "1G",
        .min = 1 * M,
        .max = 1 * T,
        .prose =
            "How many bytes the queue of a link may hold at the broker. When it is full the link waits and "
            "the others go on. A queue that exists keeps what it was made with: OPERATING.md, under "
            "RabbitMQ, tells how to change it.",
    },

    // --- sending
    {
        .name = "window_batches",
        .group = "Sending",
        .roles = P,
        .type = ZS_TYPE_INT,
        .fallback = "4",
        .min = 1,
        .max = 64,
        .prose =
            "How many batches may be on their way to the broker without a confirm. More only helps when the "
            "broker is far away or slow to confirm.",
    },
    {
        .name = "batch_txns_max",
        .group = "Sending",
        .roles = P,
        .type = ZS_TYPE_INT,
        .fallback = "256",
        .min = 1,
        .max = 10000,
        .prose = "How many txns a batch holds at most. Batches grow by themselves under load and are small "
                 "when there "
                 "is little to send.",
    },
    {
        .name = "batch_bytes_max",
        .group = "Sending",
        .roles = P,
        .type = ZS_TYPE_BYTES,
        .fallback = "64K",
        .min = 1 * K,
        .max = 8 * M,
        .prose = "How many bytes, before compression, a batch gathers. A single larger txn still goes, as a "
                 "batch of "
                 "its own.",
    },
    {
        .name = "heartbeat",
        .group = "Sending",
        .roles = P,
        .type = ZS_TYPE_MS,
        .fallback = "1s",
        .min = 100,
        .max = 1 * MINUTES,
        .prose = "How often an idle link sends a batch that only says how far it is, and how much of "
                 "the destination this site has; a busy one says so along with its txns, ten times as "
                 "seldom. It bounds how long a lost message stays unnoticed on an idle link.",
    },

    // --- filter
    {
        .name = "include",
        .group = "Filter",
        .roles = P | A,
        .per_link = true,
        .type = ZS_TYPE_PATTERNS,
        .fallback = "",
        .prose =
            "Which paths are carried: patterns separated by commas; nothing means all. A pattern is an "
            "absolute "
            "path and covers what lies beneath it: `/a` covers `/a` and `/a/b` and not `/ab`. Within a "
            "segment "
            "`*` stands for any characters and `?` for one; a segment `**` stands for any number of "
            "segments. "
            "`%XX` is the byte with that hexadecimal number: `%2C` a comma, `%2A` a `*` itself, `%25` a `%`, "
            "`%5C` a `\\`, `%C3%A9` the letter e with an acute accent (UTF-8). So every name has a "
            "spelling "
            "in plain ASCII. In a zoo.cfg that ZooKeeper writes anew (`reconfigEnabled=true`), and with "
            "`-D`, it "
            "is the only one that is accepted. The filter holds where it is set: in zoo.cfg for what is "
            "sent, in "
            "the applier's file for what is applied. `/zookeeper` and `/zoospan` are never carried.",
    },
    {
        .name = "exclude",
        .group = "Filter",
        .roles = P | A,
        .per_link = true,
        .type = ZS_TYPE_PATTERNS,
        .fallback = "",
        .prose = "Which paths are not carried, whatever `zoospan.include` says. Same patterns. Locks, "
                 "elections and "
                 "queues made of sequential znodes have no meaning across sites: exclude them.",
        .example = "/**/locks,/**/election",
    },

    // --- ZooKeeper
    {
        .name = "zookeeper",
        .group = "ZooKeeper",
        .roles = A,
        .type = ZS_TYPE_SERVERS,
        .required = true,
        .prose =
            "The connect string of this site's ensemble, `host:port,host:port`: more than one server, so "
            "that the applier outlives each of them. Without a chroot: the applier needs the whole tree.",
        .example = "127.0.0.1:2181",
    },
    {
        .name = "zookeeper_session",
        .group = "ZooKeeper",
        .roles = A,
        .type = ZS_TYPE_MS,
        .fallback = "10s",
        .min = 2 * SECONDS,
        .max = 10 * MINUTES,
        .prose =
            "The session timeout to ask for. The servers may grant another, within their "
            "`minSessionTimeout` and "
            "`maxSessionTimeout`. A server that stands still is left for another one after two thirds of it.",
    },
    {
        .name = "zookeeper_auth_file",
        .group = "ZooKeeper",
        .roles = A,
        .type = ZS_TYPE_SECRET_FILE,
        .prose =
            "A file whose first line is `scheme:credentials`, for example `digest:super:secret`, which the "
            "applier "
            "logs in with; it is read again after each connect. Who may have access: as for "
            "`zoospan.amqp_password_file`. Without this option the line comes from the environment variable "
            "`ZOOSPAN_ZOOKEEPER_AUTH`. With a login, `/zoospan` belongs to the applier alone; without one "
            "any "
            "client can change it, and znodes with restrictive ACLs cannot be written. The applier should "
            "log in "
            "as ZooKeeper's super user.",
        .example = "/etc/zoospan/zookeeper.auth",
    },
    {
        .name = "jute_maxbuffer",
        .group = "ZooKeeper",
        .roles = A,
        .type = ZS_TYPE_BYTES,
        .fallback = "1048575",
        .min = 64 * K,
        .max = 64 * M,
        .prose = "The largest request that the servers accept. It must not be larger than their "
                 "`jute.maxbuffer`, or "
                 "they close the connection on a large write.",
    },

    // --- applying
    {
        .name = "depth",
        .group = "Applying",
        .roles = A,
        .type = ZS_TYPE_INT,
        .fallback = "8",
        .min = 1,
        .max = 64,
        .prose =
            "How many multis of a link may be on their way to ZooKeeper without an answer. More helps when a "
            "write takes long, because the ensemble is far away or its disks are slow.",
    },
    {
        .name = "multi_ops_max",
        .group = "Applying",
        .roles = A,
        .type = ZS_TYPE_INT,
        .fallback = "128",
        .min = 1,
        .max = 10000,
        .prose =
            "How many operations the applier puts into one multi. A txn of the origin is not divided, so a "
            "larger one goes whole, as a multi of its own (unless it only deletes, and is larger than a "
            "request may be).",
    },
    {
        .name = "multi_bytes_max",
        .group = "Applying",
        .roles = A,
        .type = ZS_TYPE_BYTES,
        .fallback = "256K",
        .min = 1 * K,
        .max = 16 * M,
        .prose =
            "How many bytes the applier puts into one multi, under the same rule. It must not be larger than "
            "`zoospan.jute_maxbuffer`.",
    },
    {
        .name = "prefetch",
        .group = "Applying",
        .roles = A,
        .type = ZS_TYPE_INT,
        .fallback = "1024",
        .min = 1,
        .max = 10000,
        .prose =
            "How many batches of a link the broker sends ahead of their acknowledgement. No more than that "
            "come in one round trip to the broker: 1024 are enough for one of a second. Their size is "
            "bounded by `zoospan.prefetch_bytes`.",
    },
    {
        .name = "prefetch_bytes",
        .group = "Applying",
        .roles = A,
        .type = ZS_TYPE_BYTES,
        .fallback = "32M",
        .min = 64 * K,
        .max = 16 * G,
        .prose =
            "How many bytes of batches, as they came, the applier holds of a link. Beyond that it leaves "
            "what the broker has sent in the socket until some are done. This bounds the applier's "
            "memory, along with what the batches at hand take unpacked.",
    },
    {
        .name = "message_bytes_max",
        .group = "Applying",
        .roles = A,
        .type = ZS_TYPE_BYTES,
        .fallback = "64M",
        .min = 1 * M,
        .max = 1 * G,
        .prose =
            "The largest batch, on the wire and again unpacked, that the applier accepts. A larger one is "
            "rejected before memory is taken for it. It must hold the largest txn of the origin.",
    },
    {
        .name = "feedback",
        .group = "Applying",
        .roles = A,
        .type = ZS_TYPE_MS,
        .fallback = "1s",
        .min = 100,
        .max = 10 * SECONDS,
        .prose = "How often the applier tells each origin how far it is.",
    },
    {
        .name = "clock_ahead_max",
        .group = "Applying",
        .roles = A,
        .per_link = true,
        .type = ZS_TYPE_MS,
        .fallback = "24h",
        .min = 1 * MINUTES,
        .max = 87600 * HOURS,
        .prose = "How far the clock of an origin's stream may be ahead of this host's before nothing of it "
                 "is taken (AHEAD): a clock lifts those of all sites that take what it has written, and for "
                 "good.",
    },
    {
        .name = "silence",
        .group = "Applying",
        .roles = A,
        .per_link = true,
        .type = ZS_TYPE_MS,
        .fallback = "10s",
        .min = 1 * SECONDS,
        .max = 10 * MINUTES,
        .prose = "How long an origin may say nothing, although the applier is connected to its RabbitMQ, "
                 "before the link is SILENT and not LIVE. It must be longer than that origin's "
                 "`zoospan.heartbeat`.",
    },
    {
        .name = "checkpoint_txns",
        .group = "Applying",
        .roles = A,
        .type = ZS_TYPE_INT,
        .fallback = "10000",
        .min = 100,
        .max = 10000000,
        .prose = "How many txns without effect here, filtered ones for example, may pass before the marker "
                 "is written "
                 "all the same. It bounds what is sent again after a restart.",
    },
    {
        .name = "quarantine_max",
        .group = "Applying",
        .roles = A,
        .type = ZS_TYPE_INT,
        .fallback = "1000",
        .min = 1,
        .max = 10000,
        .prose = "How many records of txns that could not be applied are kept for each origin under "
                 "`/zoospan/quarantine`. The oldest go first, with a line in the log. A record holds the "
                 "txn's data, so it may "
                 "be as large as the txn.",
    },
    {
        .name = "quarantine_bytes_max",
        .group = "Applying",
        .roles = A,
        .type = ZS_TYPE_BYTES,
        .fallback = "16M",
        .min = 1 * M,
        .max = 1024 * M,
        .prose = "How many bytes these records may have for each origin, because all znodes are held in the "
                 "memory of the servers. The oldest go first here as well.",
    },
    {
        .name = "sequence_lift_max",
        .group = "Applying",
        .roles = A,
        .type = ZS_TYPE_INT,
        .fallback = "1000000",
        .min = 0,
        .max = 100000000,
        .prose =
            "By how much the numbers of sequential names beneath one node may be lifted behind an image, so "
            "that they go on where they stand at the origin. Each step is a create and a delete. What lags "
            "by more is a conflict, `sequence_behind`.",
    },
    {
        .name = "resync_deletes",
        .group = "Applying",
        .roles = A,
        .type = ZS_TYPE_INT,
        .fallback = "1000",
        .min = 0,
        .max = 1000000000,
        .prose =
            "The brake of an image. It deletes what the origin does not have, copies of ephemerals "
            "included, but at most this many nodes, or `zoospan.resync_delete_percent` of the nodes here, "
            "whichever is more. Beyond that the link stands in state BRAKE, and deletes nothing, until an "
            "operator allows it with `zoospan resync ORIGIN --allow-deletes`.",
    },
    {
        .name = "resync_delete_percent",
        .group = "Applying",
        .roles = A,
        .type = ZS_TYPE_INT,
        .fallback = "5",
        .min = 0,
        .max = 100,
        .prose = "See `zoospan.resync_deletes`. It never stands for more nodes than "
                 "`zoospan.resync_deletes_max`.",
    },
    {
        .name = "resync_deletes_max",
        .group = "Applying",
        .roles = A,
        .type = ZS_TYPE_INT,
        .fallback = "10000",
        .min = 0,
        .max = 1000000000,
        .prose = "Of many nodes a small share is much: `zoospan.resync_delete_percent` of them count as this "
                 "many at most.",
    },
    {
        .name = "ephemerals",
        .group = "Applying",
        .roles = A,
        .per_link = true,
        .type = ZS_TYPE_CHOICE,
        .choices = "mirror|skip",
        .fallback = "mirror",
        .prose = "What becomes of the origin's ephemeral znodes. With `mirror` a persistent copy stands here "
                 "until "
                 "the origin's session closes. With `skip` there is no copy.",
    },
    {
        .name = "ephemerals_except",
        .group = "Applying",
        .roles = A,
        .per_link = true,
        .type = ZS_TYPE_PATTERNS,
        .fallback = "",
        .prose = "The paths, as patterns like those of `zoospan.include`, for which the other policy of "
                 "`zoospan.ephemerals` holds.",
    },

    // --- seeing what it does
    {
        .name = "log_level",
        .group = "Observing",
        .roles = P | A,
        .type = ZS_TYPE_CHOICE,
        .choices = "error|warn|info|debug",
        .fallback = "info",
        .prose = "The least important lines that are logged. `debug` is for looking into a problem.",
    },
    {
        .name = "status_file",
        .group = "Observing",
        .roles = A,
        .type = ZS_TYPE_FILE,
        .prose = "A file that the applier replaces every second with its status as JSON: the state, the "
                 "position and "
                 "the counters of every link. Without this option none is written.",
        .example = "/run/zoospan/applier.json",
    },
    {
        .name = "server_name",
        .group = "Observing",
        .roles = P,
        .type = ZS_TYPE_TEXT,
        .prose = "What this server is called in RabbitMQ's list of connections. Without this option it is "
                 "the host's "
                 "name and the client port.",
        .example = "sh-observer-1",
    },
};

const size_t zs_option_count = sizeof zs_option_table / sizeof *zs_option_table;
