// The applier's file as the links' settings.
#ifndef ZS_SETTINGS_H
#define ZS_SETTINGS_H

#include "link.h"
#include "zs_options.h"

// `origin` is one of zoospan.links. Errors: ZS_INVALID; `out` owns nothing then.
bool zs_settings_of_link(const struct zs_options *options, const char *origin, struct zs_link_settings *out,
                         struct zs_error *e);
// The credentials: scheme and secret in `out`, which is wiped on error. *found is false if there are none.
struct zs_settings_auth {
    char text[1024];
    const char *scheme, *secret; // within `text`
};
bool zs_settings_auth(const struct zs_options *options, struct zs_settings_auth *out, bool *found,
                      struct zs_error *e);

#endif
