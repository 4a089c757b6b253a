// A configuration file from anywhere, for either program: it is taken, and then every value can be read, or it is
// refused with a message that is one line of text.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "zs_options.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_message(const struct zs_error *e) {
    size_t len = strnlen(e->text, sizeof e->text);
    if (e->code != ZS_INVALID || len == 0 || len == sizeof e->text)
        abort();
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)e->text[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            abort();
    }
}

static void check_value(const struct zs_options *options, const char *link, const struct zs_option *option) {
    const char *text = zs_option_text(options, link, option->name);
    int64_t number = zs_option_int(options, link, option->name);
    if (option->fallback && !text)
        abort();
    if (option->max > 0 && (number < option->min || number > option->max))
        abort();
    if (option->max == 0 && number != 0)
        abort();
    if (option->required && !text && (link || !option->per_link))
        abort();
}

static void check_role(enum zs_role role, const uint8_t *bytes, size_t len) {
    struct zs_error e = {0};
    struct zs_options *options = zs_options_of_bytes(role, (const char *)bytes, len, "conf", &e);
    if (!options) {
        check_message(&e);
        return;
    }
    const char *const *sites;
    size_t links = zs_option_links(options, &sites);
    for (size_t i = 0; i < zs_option_count; i++) {
        if (!(zs_option_table[i].roles & (int)role))
            continue;
        check_value(options, NULL, &zs_option_table[i]);
        for (size_t link = 0; link < links; link++)
            check_value(options, sites[link], &zs_option_table[i]);
    }
    zs_options_free(options);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    check_role(ZS_ROLE_PLUGIN, bytes, len);
    check_role(ZS_ROLE_APPLIER, bytes, len);
    return 0;
}
