// What runs inside the ZooKeeper server, without its JVM: the options, the backlog and one sender per link. jni.c
// is the only caller besides the tests.
//
// Threads: one thread at a time calls zs_plugin_begin and zs_plugin_offer (the JVM side has a lock for them), one
// waits in zs_plugin_next_log, any may call the others; none of them after zs_plugin_free has been called.
#ifndef ZS_PLUGIN_H
#define ZS_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zs_backlog.h"
#include "zs_error.h"
#include "zs_images.h"
#include "zs_logring.h"
#include "zs_options.h"

struct zs_plugin;

// Reads the options (those of ZS_ROLE_PLUGIN; `file` as in zs_options_of_pairs) and starts the senders. Errors:
// ZS_INVALID (options, a password file: the text is for the operator and says how to mend it), ZS_FATAL.
struct zs_plugin *zs_plugin_open(const struct zs_pair *pairs, size_t count, const char *file,
                                 struct zs_error *e);

// As zs_sender_set_beginning, for all links; -1: no such zxid is known any more. To be said before the chain begins.
void zs_plugin_beginning(struct zs_plugin *plugin, int64_t zxid);

// As zs_sender_set_logs, for all links. A directory that is too long for it counts as unknown. NULL: not known.
void zs_plugin_logs(struct zs_plugin *plugin, const char *log_dir, const char *snap_dir, int64_t floor,
                    bool proposals);

// As zs_backlog_begin.
void zs_plugin_begin(struct zs_plugin *plugin, int64_t base, enum zs_chain chain);

// Where the caller puts the bytes of the next txn before it offers them: `len` bytes that the plugin owns, valid until
// the next call. Takes memory only for a txn that is larger than usual. NULL: there is none. Thread: capture.
uint8_t *zs_plugin_scratch(struct zs_plugin *plugin, size_t len);
// As zs_backlog_offer, with the bytes in the scratch space. Thread: capture. Blocks: never.
bool zs_plugin_offer(struct zs_plugin *plugin, int64_t zxid, size_t len);
// A txn could not be taken: the backlog starts anew behind it, so that readers are told at once; before a chain has
// begun it is only counted. Thread: capture.
void zs_plugin_lost(struct zs_plugin *plugin, int64_t zxid);

// The site's history as it stands in znode /zoospan/history; NULL: there is none. What is not a history is logged and
// taken for none.
void zs_plugin_history(struct zs_plugin *plugin, const char *text);

// This site's marker for a destination as it stands in znode /zoospan/applied/<destination>; NULL: there is none. What is
// not a marker is logged and taken for none.
void zs_plugin_marker(struct zs_plugin *plugin, const char *destination, const char *json);

// As zs_sender_set_serving, for all links.
void zs_plugin_serving(struct zs_plugin *plugin, bool serving);

// The state of everything as one JSON object; malloc'ed, NULL when out of memory. zxids are text, "0x100000002", as
// ZooKeeper writes them.
char *zs_plugin_status(struct zs_plugin *plugin);

// As zs_images_next, zs_images_carries and zs_images_put, for the threads that walk the tree.
enum zs_wish zs_plugin_next_image(struct zs_plugin *plugin, int timeout_ms, struct zs_image_wish *out);
int zs_plugin_image_carries(struct zs_plugin *plugin, int64_t id, const char *path);
bool zs_plugin_image(struct zs_plugin *plugin, int64_t id, struct zs_image_chunk *chunk);

// As zs_logring_next.
enum zs_next zs_plugin_next_log(struct zs_plugin *plugin, int timeout_ms, struct zs_log_line *out);

// Ends the senders and then the log. What is called afterwards does nothing, so the server may go on.
void zs_plugin_stop(struct zs_plugin *plugin);
// NULL is fine. Calls zs_plugin_stop if need be.
void zs_plugin_free(struct zs_plugin *plugin);

#endif
