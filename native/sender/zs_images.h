// Images on their way from the server's tree to the links: walks (Java threads, as many as there are links) put chunks in,
// senders take them out. What waits to be taken is bounded, and a walk whose link takes nothing waits alone.
#ifndef ZS_IMAGES_H
#define ZS_IMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zs_error.h"
#include "zs_filter.h"
#include "zs_text.h"

enum { ZS_IMAGE_PATH_MAX = 1024, ZS_IMAGE_CHUNKS_MAX = 8 };

struct zs_images;

// NULL: no memory.
struct zs_images *zs_images_new(struct zs_error *e);
// Nobody may be in it any more.
void zs_images_free(struct zs_images *images);
// Nothing is wanted any more; whoever waits comes back. Thread: any.
void zs_images_end(struct zs_images *images);

// --- a walk's side. Thread: a walk's -------------------------------------------------------------------------------

struct zs_image_wish {
    int64_t id; // above 0
    char destination[ZS_SITE_MAX + 1];
    char path[ZS_IMAGE_PATH_MAX];
};
enum zs_wish { ZS_WISH, ZS_WISH_NONE, ZS_WISH_END };
// Waits at most `timeout_ms` for something to walk.
enum zs_wish zs_images_next(struct zs_images *images, int timeout_ms, struct zs_image_wish *out);
enum { ZS_CARRIES_NODE = 1, ZS_CARRIES_BENEATH = 2 };
// What an image holds of a path, by its link's filter: the node, perhaps something beneath it, both, or nothing (0), as of an
// image that is not wanted any more. Blocks: never for long.
int zs_images_carries(struct zs_images *images, int64_t id, const char *path);

struct zs_image_chunk {
    struct zs_image_chunk *next;
    size_t len;
    uint8_t bytes[];
};
// For the caller to fill. NULL: no memory.
struct zs_image_chunk *zs_image_chunk_new(size_t len);
// Hands over one chunk, which is the caller's no more. Blocks while as many wait to be taken as may. NULL: there is none,
// because the walk has failed; the sender hears that. False: end the walk.
bool zs_images_put(struct zs_images *images, int64_t id, struct zs_image_chunk *chunk);

// --- a sender's side. Thread: the sender's ---------------------------------------------------------------------------

// Asks for an image of what `filter` carries (borrowed); `wake_fd` (an eventfd) is written whenever a chunk of it has come. 0: too
// many links want one.
int64_t zs_images_want(struct zs_images *images, const char *destination, const char *path,
                       const struct zs_filter *filter, int wake_fd);
// What has come so far of it is thrown away, and nothing will come any more.
void zs_images_cancel(struct zs_images *images, int64_t id);

// The next chunk, in order, or NULL: none yet, and none ever if `failed`. The caller frees it with free().
struct zs_image_chunk *zs_images_take(struct zs_images *images, int64_t id, bool *failed);

#endif
