// Secrets live in files that nobody else can open. They are read at each login, because they are changed while we run.
//
// Who may have access is what PostgreSQL asks of a server's key: the owner alone, or, of a file that is root's, those in
// its group too, who may only read. Kubernetes (fsGroup), systemd and Docker mount secrets so.
#ifndef ZS_SECRET_H
#define ZS_SECRET_H

#include <stddef.h>

#include "zs_error.h"

// The first line of a file, without its newline. `out` is wiped on error. Errors: ZS_INVALID: file, what is wrong
// (missing, empty, open to others, too long), what is expected. The secret never appears in a message. Blocks: on the disk.
bool zs_secret_read(const char *file, char *out, size_t size, struct zs_error *e);

#endif
