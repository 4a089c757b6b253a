// Any bytes as a txn log: what comes out rises, ends, stays within the bound, and is within the file.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "zs_txnlog.h"

#undef NDEBUG // asserts are what this program is for
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static char dir[64], path[80];

static void remove_dir(void) {
    unlink(path);
    rmdir(dir);
}

static void make_dir(void) {
    snprintf(dir, sizeof dir, "/tmp/zoospan-fuzz.XXXXXX");
    assert(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/log.1", dir);
    assert(atexit(remove_dir) == 0);
}

static void read_all(int64_t behind, int64_t bound, size_t len, bool voter) {
    struct zs_error e = {ZS_OK, ""};
    struct zs_txnlog *log = zs_txnlog_open(dir, dir, behind, 1 << 16, &e);
    static const int64_t ends[] = {0x100000002, 0x200000000};
    assert(log);
    zs_txnlog_tell_ends(log, ends, voter ? 2 : 0);
    if (voter)
        zs_txnlog_distrust(log);
    int64_t last = behind;
    size_t given = 0;
    for (;;) {
        struct zs_txnlog_txn txn;
        enum zs_txnlog_found found = zs_txnlog_next(log, bound, &txn, &e);
        if (found != ZS_TXNLOG_TXN) {
            assert(found != ZS_TXNLOG_REFUSED || (e.code != ZS_OK && e.text[0]));
            break;
        }
        assert(txn.zxid > last && txn.zxid <= bound);
        last = txn.zxid;
        given += txn.bytes.len;
        assert(given <= len);
        volatile uint8_t sum = 0; // every byte can be read
        for (size_t i = 0; i < txn.bytes.len; i++)
            sum = (uint8_t)(sum ^ txn.bytes.at[i]);
    }
    zs_txnlog_close(log);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    if (!dir[0])
        make_dir();
    FILE *file = fopen(path, "w");
    assert(file && fwrite(bytes, 1, len, file) == len && fclose(file) == 0);
    read_all(0, INT64_MAX, len, false);
    read_all(0, INT64_MAX, len, true);
    read_all(3, 10, len, false);
    return 0;
}
