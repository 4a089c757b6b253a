// Golden files: tests/golden/<set>/<NAME>.<ext> holds bytes, NAME.txt beside it what must come out of them.
#ifndef GOLDEN_H
#define GOLDEN_H

#include "zs_bytes.h"
#include "zs_txn.h"

// Calls `check` for every file of the folder (under tests/golden) with that extension, in the order of their names;
// returns how many there were. `expected` is the text file without its last newline.
int golden_each(const char *folder, const char *extension,
                void (*check)(const char *name, struct zs_slice bytes, const char *expected));

void dump_format(struct zs_buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
// One line per operation, as tests/golden/txn/make.py writes them.
void dump_ops(struct zs_buffer *out, const struct zs_op *ops, uint32_t count);
void dump_data(struct zs_buffer *out, struct zs_slice data);
void dump_acls(struct zs_buffer *out, const struct zs_acls *acls);
const char *dump_kind(enum zs_kind kind);

#endif
