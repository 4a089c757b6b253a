// A batch as text, as tests/golden/batch/make.py writes it.
#ifndef DUMP_BATCH_H
#define DUMP_BATCH_H

#include "zs_batch.h"

void dump_batch(struct zs_buffer *out, const struct zs_batch *batch);

#endif
