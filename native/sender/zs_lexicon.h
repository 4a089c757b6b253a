// The lexicon of a link: gathers a dictionary (zs_dictionary.h) of what small batches hold, has it sent, and tells which one
// batches may refer to: one that the newest report says the destination keeps. Pure; used by one thread.
//
// What is written changes with time, and at the start of all most. So a dictionary is replaced after 64 KiB of small batches,
// the next one after four times as many, and so on up to 4 MiB: a new one is gathered and sent, and the old one stays in use
// until the destination has the new one.
#ifndef ZS_LEXICON_H
#define ZS_LEXICON_H

#include "zs_bytes.h"
#include "zs_report.h"

struct zs_lexicon {
    bool wanted;                  // the destination takes dictionaries
    bool due;                     // `offered` goes with the next batch
    struct zs_dictionary used;    // id 0: none
    struct zs_dictionary offered; // made, and the destination has not named it yet; id 0: none
    uint32_t renew_bytes;         // after so many a new one is gathered
    uint64_t passed;              // bytes of small batches since `used` came into use, or `offered` was sent
    size_t sample_len;
    uint8_t sample[ZS_DICTIONARY_BYTES_MAX];
};

void zs_lexicon_hear(struct zs_lexicon *lexicon, const struct zs_report *report);
// Learns from the records of a batch of txns.
void zs_lexicon_learn(struct zs_lexicon *lexicon, struct zs_slice records);
// What is to be sent now; NULL: nothing. Then zs_lexicon_sent.
const struct zs_dictionary *zs_lexicon_due(const struct zs_lexicon *lexicon);
void zs_lexicon_sent(struct zs_lexicon *lexicon);
// What batches may refer to; NULL: nothing. Valid until the next zs_lexicon_hear.
const struct zs_dictionary *zs_lexicon_used(const struct zs_lexicon *lexicon);

#endif
