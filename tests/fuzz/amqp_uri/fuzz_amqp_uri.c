// Any text as an AMQP URI: it is refused with a reason, or every field is a proper string in its bounds.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "zs_amqp.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void require(bool holds) {
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    char *uri = malloc(len + 1);
    if (!uri)
        return 0;
    if (len)
        memcpy(uri, bytes, len);
    uri[len] = '\0';
    struct zs_amqp_address address;
    struct zs_error e = {0};
    if (zs_amqp_parse_uri(uri, &address, &e)) {
        require(address.host_count >= 1 && address.host_count <= ZS_AMQP_HOSTS_MAX);
        for (uint32_t i = 0; i < address.host_count; i++) {
            const struct zs_amqp_host *host = &address.hosts[i];
            require(host->name[0] && memchr(host->name, 0, sizeof host->name));
            require(host->port >= 1 && host->port <= 65535);
        }
        require(address.user[0] && memchr(address.user, 0, sizeof address.user));
        require(address.vhost[0] && memchr(address.vhost, 0, sizeof address.vhost));
        require(address.password[0] == '\0' && address.ca_file[0] == '\0');
    } else {
        require(e.code == ZS_INVALID && e.text[0]);
    }
    free(uri);
    return 0;
}
