// What /zoospan/restored and the znodes beneath /zoospan/journal/<origin> hold (FORMAT.md, Znodes): which
// txns of its site an applier wrote for that origin. The applier writes them (native/applier/journal.h); the
// site's own plugin reads them when it sends an image.
#ifndef ZS_JOURNAL_TEXT_H
#define ZS_JOURNAL_TEXT_H

#include "zs_bytes.h"
#include "zs_text.h"
#include "zs_zxids.h"

// --- the folder: what the journal is about -----------------------------------------------------------------------------

enum { ZS_JOURNAL_ABOUT_TEXT = ZS_UUID_TEXT + 17 };
// The origin's history, and the zxid up to which not all may be known. Returns the length, without NUL.
size_t zs_journal_about_format(const struct zs_history *history, int64_t floor,
                               char out[static ZS_JOURNAL_ABOUT_TEXT]);
// False: it is no such text, and leaves both as they are.
bool zs_journal_about_parse(struct zs_slice text, struct zs_history *history, int64_t *floor);

// --- a pack ------------------------------------------------------------------------------------------------------------

enum { ZS_JOURNAL_ZXID_TEXT = 17 }; // that much per zxid, at most
// Returns the length, without NUL.
size_t zs_journal_pack_format(const int64_t *zxids, size_t count, char *out);
// Adds what there is above `floor`. What is no such text ends it: somebody has changed it by hand. False: no memory.
bool zs_journal_pack_parse(struct zs_slice text, int64_t floor, struct zs_zxids *out);

// --- ZS_RESTORED_PATH --------------------------------------------------------------------------------------------------

enum { ZS_RESTORED_TEXT = 19 };
// Returns the length, without NUL.
size_t zs_restored_format(int64_t zxid, char out[static ZS_RESTORED_TEXT]);
// 0: it is no such text.
int64_t zs_restored_parse(struct zs_slice text);

#endif
