// A link as a test drives it: an origin that is only a publisher, the real applier, and a look at the tree.
#ifndef ZS_TEST_LIVE_H
#define ZS_TEST_LIVE_H

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <sys/types.h>
#include <zookeeper/zookeeper.h>

#include "zs_amqp.h"
#include "zs_batch.h"
#include "zs_names.h"
#include "zs_report.h"

enum { LIVE_EPOCH = 1, LIVE_APPLIERS = 2 };

struct live {
    char dir[256];
    char origin[ZS_SITE_MAX + 1];
    char root[32];   // every test writes beneath its own path
    char extra[512]; // more lines for the applier's file
    int session_s;   // the appliers' own
    struct zs_link_names names;
    struct zs_watchdog *watchdog;
    struct zs_amqp *amqp;
    struct zs_batch_writer *writer;
    struct zs_batch_head head; // prev and clock_prev move
    zs_clock clock;
    int64_t zxid;
    zhandle_t *zk;
    pid_t appliers[LIVE_APPLIERS];
};

// cmocka's setup and teardown of one test: queues of a new origin, a client of the destination.
int live_setup(void **state);
int live_teardown(void **state);

void live_start_applier(struct live *live, int which);
// Waits for what the signal does, but on SIGCONT.
void live_signal_applier(struct live *live, int which, int signal);
void live_expect_death(struct live *live, int which);   // by SIGKILL, as a failpoint does it
void live_expect_stopped(struct live *live, int which); // by SIGSTOP, the same
int live_stop_applier(struct live *live, int which);    // SIGTERM; yields the exit status
void live_address(char out[static 64]);                 // host:port of the ZooKeeper
void live_zookeeper(const char *command);               // zookeeper.sh
void live_broker(const char *arguments);                // broker.sh ctl
// Waits until the broker has sent all that it has, and at least so much of it is not acked: a consumer that is stopped
// need not have read it.
void live_expect_delivered(struct live *live, int batches);
void live_sleep(int ms);

// One txn; its ops are copied.
void live_begin(struct live *live);
void live_txn(struct live *live, const struct zs_op *ops, uint32_t count);
void live_record(struct live *live, const struct zs_record *record);
void live_end(struct live *live, struct zs_slice *message); // ends the batch, without sending it
void live_send(struct live *live, struct zs_slice message);
void live_publish(struct live *live, const struct zs_op *ops, uint32_t count); // a batch of one txn
void live_go_back(struct live *live, int64_t zxid); // the origin's cursor: to where the destination is

const char *live_path(const char *format, ...)
    __attribute__((format(printf, 1, 2))); // a few of them stay valid
struct zs_op live_create(const char *path, const char *data);
struct zs_op live_set(const char *path, const char *data);
struct zs_op live_delete(const char *path);

// What a client of the destination does and sees.
void live_client_create(struct live *live, const char *path, const char *data, int mode);
bool live_exists(struct live *live, const char *path, struct Stat *stat);
void live_expect_data(struct live *live, const char *path, const char *data); // NULL: null data
void live_expect_absent(struct live *live, const char *path);
void live_expect_gone(struct live *live, const char *path); // soon
// Waits until all that was published is applied.
void live_expect_applied(struct live *live);
// A member of the link's object in the status file, of both appliers the one that is asked for. The file may be a
// second old.
int64_t live_counter(struct live *live, int which, const char *name);
void live_expect_counter(struct live *live, int which, const char *name, int64_t value); // soon
// "LIVE" is SILENT too: nobody sends heartbeats here.
void live_expect_state(struct live *live, int which, const char *name);
void live_next_report(struct live *live, struct zs_report *out); // in their order: it may be an old one
// The newest report that fits: waits until `need` is what the newest one says.
void live_expect_report(struct live *live, enum zs_need need, struct zs_report *out);

#endif
