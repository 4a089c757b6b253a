// The applier's file as the links' settings.
#ifndef ZS_SETTINGS_H
#define ZS_SETTINGS_H

#include "link.h"
#include "zs_options.h"

// `origin` is one of zoospan.links. Errors: ZS_INVALID; `out` owns nothing then.
bool zs_settings_of_link(const struct zs_options *options, const char *origin, struct zs_link_settings *out,
                         struct zs_error *e);
// The credentials of `options`, a struct zs_options, as struct zs_zookeeper_settings wants them.
bool zs_settings_credentials(const void *options, struct zs_credentials *out, struct zs_error *e);

#endif
