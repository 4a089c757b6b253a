#include "client.h"

void zs_client_submit(struct zs_client *client, struct zs_request *request) {
    request->mailbox = client->mailbox;
    request->generation = client->generation;
    request->pending = true;
    client->pending++;
    client->target.calls->submit(client->target.self, request);
}

void zs_client_collect(struct zs_client *client) {
    struct zs_request *request = zs_mailbox_take(client->mailbox);
    while (request) {
        struct zs_request *next = request->next;
        request->pending = false;
        client->pending--;
        request = next;
    }
}

void zs_client_drain(struct zs_client *client) {
    enum { LOOK_MS = 1000 };
    for (zs_client_collect(client); client->pending; zs_client_collect(client))
        client->wait(client->context, LOOK_MS);
}

enum zs_outcome zs_client_ask(struct zs_client *client, struct zs_request *request) {
    zs_client_submit(client, request);
    zs_client_drain(client);
    return request->outcome;
}
