// How a thread uses the target: it submits requests and awaits them, looking after its other business meanwhile.
#ifndef ZS_CLIENT_H
#define ZS_CLIENT_H

#include "zs_target.h"

struct zs_client {
    struct zs_target target;
    struct zs_mailbox *mailbox;
    uint64_t generation; // given to each request
    uint32_t pending;
    // Waits until the mailbox (or something else of this thread's) has something, at most `timeout_ms`.
    void (*wait)(void *context, int timeout_ms);
    void *context;
};

void zs_client_submit(struct zs_client *client, struct zs_request *request);
// Takes what has come back: `pending` of those requests turns false. Never waits.
void zs_client_collect(struct zs_client *client);
// Waits for everything that this client has submitted. Always ends: the target brings every request back.
void zs_client_drain(struct zs_client *client);
// Submits one request and waits for all. The answer is in the request.
enum zs_outcome zs_client_ask(struct zs_client *client, struct zs_request *request);

#endif
