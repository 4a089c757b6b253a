// Images as a test sends them: the test is the origin, and says what its tree holds.
#ifndef ZS_TEST_LIVE_IMAGE_H
#define ZS_TEST_LIVE_IMAGE_H

#include <stdio.h>

#include "live.h"

struct image {
    struct live *live;
    const char *path, *include, *exclude; // "/", the test's root and "" unless set after image_new
    int64_t zxid;                         // as of: 16 txns above the last one that was published
    int64_t seen;                         // of this site; 0: not known
    int64_t run;
    uint32_t part;
    uint64_t nodes;
};

int image_setup(void **state); // live_setup, with an applier that carries the test's root only

struct image image_new(struct live *live, int64_t seen);
void image_begin(struct image *image);
// A node that the origin made in the range that was lost. Changed before it is added.
struct zs_record_node image_node(const struct image *image, const char *path, const char *data);
void image_add(struct image *image, const struct zs_record_node *node);
void image_put(struct image *image, const char *path, const char *data);
void image_cut(struct image *image); // sends what there is, and begins the next batch
void image_record_end(struct image *image);
void image_send(struct image *image); // the last batch
void image_end(struct image *image);  // with SNAPSHOT_END

// The origin cannot go on behind that zxid.
void image_broken(struct live *live, int64_t zxid);
// Waits until a report asks for an image; no run is being taken.
void image_expect_wish(struct live *live, const char *path, struct zs_report *report);
// ... until none is asked for any more, and the site is at `zxid`.
void image_expect_taken(struct live *live, int64_t zxid);
void image_expect_run(struct live *live, int64_t run);
void image_expect_marker(struct live *live, struct zs_marker *marker, struct Stat *stat);
void image_expect_exists(struct live *live, const char *path); // soon

int64_t image_site_zxid(struct live *live); // of the newest txn here: a write outside of what is carried
void image_own_history(struct live *live, struct zs_history *out); // of the destination
FILE *image_cli(struct live *live, const char *arguments);
int image_cli_end(FILE *cli, char *out, size_t size); // its exit status and all that it said

#endif
