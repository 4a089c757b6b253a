#include "refusal.h"

#include <zookeeper/zookeeper.h>

enum {
    QUOTA_EXCEEDED = -125, // KeeperException.Code of servers from 3.7 on; not in every zookeeper.h
    REQUEST_TIMEOUT = -122,
};

enum zs_refusal zs_refusal_of(int rc, enum zs_quarantine_class *class) {
    enum zs_quarantine_class none = ZS_QUARANTINE_REFUSED;
    class = class ? class : &none;
    switch (rc) {
    case ZOK:
        return ZS_REFUSAL_NONE;
    case ZCONNECTIONLOSS:
    case ZOPERATIONTIMEOUT:
    case ZSESSIONEXPIRED:
    case ZSESSIONMOVED:
    case ZCLOSING:
    case ZINVALIDSTATE:
    case ZAUTHFAILED:
    case ZTHROTTLEDOP:
    case ZNOTREADONLY:
    case ZRUNTIMEINCONSISTENCY:
    case ZSYSTEMERROR:
    case ZSSLCONNECTIONERROR:
    case ZSESSIONCLOSEDREQUIRESASLAUTH:
    case REQUEST_TIMEOUT:
        return ZS_REFUSAL_TRANSIENT;
    case ZNODEEXISTS:
    case ZNONODE:
    case ZBADVERSION:
    case ZNOTEMPTY:
    case ZNOCHILDRENFOREPHEMERALS:
        return ZS_REFUSAL_TREE;
    case ZNOAUTH:
        *class = ZS_QUARANTINE_DENIED;
        return ZS_REFUSAL_QUARANTINE;
    case ZINVALIDACL:
        *class = ZS_QUARANTINE_ACL;
        return ZS_REFUSAL_QUARANTINE;
    case QUOTA_EXCEEDED: // not retried: it may stay so for ever, and the link must go on
        *class = ZS_QUARANTINE_QUOTA;
        return ZS_REFUSAL_QUARANTINE;
    default:
        *class = ZS_QUARANTINE_REFUSED;
        return ZS_REFUSAL_QUARANTINE;
    }
}

void zs_doubt_lost(struct zs_doubt *doubt, int64_t zxid, size_t bytes, int64_t after_ms) {
    bool suspect = bytes >= ZS_SUSPECT_BYTES && after_ms <= ZS_SUSPECT_MS;
    if (!suspect || zxid != doubt->zxid)
        doubt->losses = 0;
    doubt->zxid = zxid;
    doubt->bytes = bytes;
    doubt->losses += suspect;
}

bool zs_doubt_due(const struct zs_doubt *doubt) {
    return doubt->losses >= ZS_LOSSES;
}

void zs_doubt_over(struct zs_doubt *doubt) {
    doubt->losses = 0;
}
