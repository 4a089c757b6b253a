// Dictionaries: bytes that the payload of a batch may refer to although they do not stand in it. LZ4 finds nothing to refer to
// in a single txn; with a few records of its own traffic at hand it does as well as in a large batch.
//
// The sender makes one of what it sends, and sends it as a DICTIONARY record; the destination keeps it where it cannot get
// lost, and says in its reports that it has it. Only then may batches refer to it.
#ifndef ZS_DICTIONARY_H
#define ZS_DICTIONARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ZS_DICTIONARY_BYTES_MIN = 8, // LZ4 does nothing with less
    ZS_DICTIONARY_BYTES_MAX = 8192,
    ZS_DICTIONARIES_MAX = 4, // that a destination keeps: the newest
};

struct zs_dictionary {
    uint32_t id;  // CRC-32C of the bytes, or 1 if that is 0; 0: this is none
    uint32_t len; // ZS_DICTIONARY_BYTES_MIN to _MAX
    uint8_t bytes[ZS_DICTIONARY_BYTES_MAX];
};

struct zs_dictionaries {
    uint32_t count;
    struct zs_dictionary at[ZS_DICTIONARIES_MAX]; // the newest first
};

// A dictionary of these bytes. False: they are too few, or too many.
bool zs_dictionary_make(const uint8_t *bytes, size_t len, struct zs_dictionary *out);
// NULL: it is not there.
const struct zs_dictionary *zs_dictionaries_find(const struct zs_dictionaries *all, uint32_t id);
// Makes it the newest; the oldest makes room. It must not be there.
void zs_dictionaries_add(struct zs_dictionaries *all, const struct zs_dictionary *dictionary);

#endif
