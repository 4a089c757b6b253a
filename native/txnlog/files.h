// What lies in a server's version-2 directory, by the zxid that ZooKeeper writes into the names.
#ifndef ZS_TXNLOG_FILES_H
#define ZS_TXNLOG_FILES_H

#include "zs_error.h"
#include "zs_zxids.h"

// The zxids, ascending, of `dir`'s files "<prefix>.<hex zxid>". A compressed snapshot has a suffix behind a dot; a log never has:
// `suffixes` says whether such names count. The caller frees with zs_zxids_free. Errors: ZS_INVALID (the directory
// cannot be read), ZS_FATAL.
bool zs_zxids_of_files(const char *dir, const char *prefix, bool suffixes, struct zs_zxids *out,
                       struct zs_error *e);

#endif
