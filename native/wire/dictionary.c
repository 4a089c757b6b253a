#include "zs_dictionary.h"

#include <string.h>

#include "zs_bytes.h"

bool zs_dictionary_make(const uint8_t *bytes, size_t len, struct zs_dictionary *out) {
    if (len < ZS_DICTIONARY_BYTES_MIN || len > ZS_DICTIONARY_BYTES_MAX)
        return false;
    uint32_t sum = zs_crc32c(0, bytes, len);
    out->id = sum ? sum : 1;
    out->len = (uint32_t)len;
    memcpy(out->bytes, bytes, len);
    return true;
}

const struct zs_dictionary *zs_dictionaries_find(const struct zs_dictionaries *all, uint32_t id) {
    for (uint32_t i = 0; i < all->count; i++) {
        if (all->at[i].id == id)
            return &all->at[i];
    }
    return NULL;
}

void zs_dictionaries_add(struct zs_dictionaries *all, const struct zs_dictionary *dictionary) {
    uint32_t kept = all->count < ZS_DICTIONARIES_MAX ? all->count : ZS_DICTIONARIES_MAX - 1;
    memmove(all->at + 1, all->at, kept * sizeof *all->at);
    all->at[0] = *dictionary;
    all->count = kept + 1;
}
