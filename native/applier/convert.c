#include "convert.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "refusal.h"
#include "zs_base64.h"
#include "zs_sha1.h"

static const char *data_of(const struct zs_slice *data) {
    return (const char *)data->at;
}

static int data_len(const struct zs_slice *data) {
    return data->at ? (int)data->len : -1; // -1 makes null data, which ZooKeeper tells from empty data
}

static void convert_step(const struct zs_step *step, const struct ACL_vector *acls, struct Stat *stat,
                         zoo_op_t *op) {
    switch (step->type) {
    case ZS_STEP_CREATE:
        zoo_create_op_init(op, step->path, data_of(&step->data), data_len(&step->data), acls, ZOO_PERSISTENT,
                           NULL, 0);
        break;
    case ZS_STEP_DELETE:
        zoo_delete_op_init(op, step->path, step->version);
        break;
    case ZS_STEP_SET:
        zoo_set_op_init(op, step->path, data_of(&step->data), data_len(&step->data), step->version, stat);
        break;
    case ZS_STEP_SET_ACL:
        break; // not an op of a multi; only its vector is used
    }
}

// The library's types lack const.
static char *unconst(const char *text) {
    char *same;
    memcpy(&same, &text, sizeof same);
    return same;
}

void zs_convert_owner(const struct zs_credentials *credentials, char out[static ZS_OWNER_BYTES]) {
    uint8_t hash[ZS_SHA1_BYTES];
    out[0] = '\0';
    if (!credentials->scheme || strcmp(credentials->scheme, "digest") != 0)
        return;
    for (const char *c = credentials->secret; *c; c++) {
        if (*c & 0x80)
            return; // what the server makes of that depends on how its JVM was started
    }
    const char *colon = strchr(credentials->secret, ':');
    const size_t user = colon ? (size_t)(colon - credentials->secret) : 0;
    if (!colon || user + 1 + zs_base64_len(sizeof hash) >= ZS_OWNER_BYTES)
        return;
    zs_sha1(credentials->secret, strlen(credentials->secret), hash);
    memcpy(out, credentials->secret, user + 1);
    zs_base64_encode(hash, sizeof hash, out + user + 1);
}

static struct ACL convert_acl(const struct zs_acl *acl, const char *owner) {
    const bool ours = *owner && strcmp(acl->scheme, "auth") == 0;
    return (struct ACL){.perms = (int32_t)acl->perms,
                        .id = {unconst(ours ? "digest" : acl->scheme), unconst(ours ? owner : acl->id)}};
}

bool zs_convert_steps(const struct zs_step *steps, uint32_t count, const char *owner, struct Stat *stat,
                      struct zs_converted *out) {
    assert(count);
    size_t entries = 0;
    for (uint32_t i = 0; i < count; i++)
        entries += steps[i].acls.count;
    *out = (struct zs_converted){.ops = calloc(count, sizeof *out->ops),
                                 .vectors = calloc(count, sizeof *out->vectors),
                                 .acls = calloc(entries + 1, sizeof *out->acls)};
    if (!out->ops || !out->vectors || !out->acls) {
        zs_converted_free(out);
        return false;
    }
    struct ACL *to = out->acls;
    for (uint32_t i = 0; i < count; i++) {
        const struct zs_acls *from = &steps[i].acls;
        out->vectors[i] = (struct ACL_vector){.count = (int32_t)from->count, .data = to};
        for (uint32_t k = 0; k < from->count; k++, to++)
            *to = convert_acl(&from->entries[k], owner);
        convert_step(&steps[i], &out->vectors[i], stat, &out->ops[i]);
    }
    return true;
}

void zs_converted_free(struct zs_converted *converted) {
    free(converted->ops);
    free(converted->vectors);
    free(converted->acls);
    *converted = (struct zs_converted){.ops = NULL};
}

enum zs_outcome zs_convert_rc(int rc) {
    switch (zs_refusal_of(rc, NULL)) {
    case ZS_REFUSAL_NONE:
        return ZS_DONE;
    case ZS_REFUSAL_TRANSIENT:
        return ZS_UNKNOWN;
    case ZS_REFUSAL_TREE:
    case ZS_REFUSAL_QUARANTINE:
        break;
    }
    return ZS_REFUSED;
}

const char *zs_rc_text(int rc) {
    return zerror(rc);
}

bool zs_answer_data(struct zs_request *request, const char *value, int len) {
    if (len < 0 || !value)
        return true;
    request->memory = malloc(len ? (size_t)len : 1);
    if (!request->memory)
        return false;
    memcpy(request->memory, value, (size_t)len);
    request->data = (struct zs_slice){.at = request->memory, .len = (size_t)len};
    return true;
}

static const char *put_text(char **to, const char *text) {
    size_t size = strlen(text) + 1;
    char *at = *to;
    memcpy(at, text, size);
    *to += size;
    return at;
}

bool zs_answer_acls(struct zs_request *request, const struct ACL_vector *acls) {
    size_t count = acls->count > 0 ? (size_t)acls->count : 0;
    size_t bytes = (count + 1) * sizeof(struct zs_acl);
    for (size_t i = 0; i < count; i++)
        bytes += strlen(acls->data[i].id.scheme) + strlen(acls->data[i].id.id) + 2;
    request->memory = malloc(bytes);
    if (!request->memory)
        return false;
    struct zs_acl *entries = request->memory;
    char *text = (char *)(entries + count + 1);
    for (size_t i = 0; i < count; i++) {
        entries[i].perms = (uint32_t)acls->data[i].perms;
        entries[i].scheme = put_text(&text, acls->data[i].id.scheme);
        entries[i].id = put_text(&text, acls->data[i].id.id);
    }
    request->acls = (struct zs_acls){.count = (uint32_t)count, .entries = entries};
    return true;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

bool zs_answer_names(struct zs_request *request, const struct String_vector *names) {
    size_t count = names->count > 0 ? (size_t)names->count : 0;
    size_t bytes = (count + 1) * sizeof(char *);
    for (size_t i = 0; i < count; i++)
        bytes += strlen(names->data[i]) + 1;
    request->memory = malloc(bytes);
    if (!request->memory)
        return false;
    request->names = request->memory;
    char *text = (char *)(request->names + count + 1);
    for (size_t i = 0; i < count; i++) {
        request->names[i] = text;
        put_text(&text, names->data[i]);
    }
    request->name_count = (uint32_t)count;
    qsort(request->names, count, sizeof *request->names, by_name);
    return true;
}

char **zs_request_find_name(const struct zs_request *request, const char *name) {
    if (!request->name_count) // NULL is not for bsearch
        return NULL;
    return bsearch(&name, request->names, request->name_count, sizeof *request->names, by_name);
}

void zs_answer_stat(struct zs_request *request, const struct Stat *stat) {
    request->version = stat->version;
    request->aversion = stat->aversion;
    request->child_count = stat->numChildren;
    request->cversion = stat->cversion;
    request->data_len = stat->dataLength;
    request->owner = stat->ephemeralOwner;
    request->created = stat->czxid;
    request->changed = stat->mzxid;
    request->children_changed = stat->pzxid;
    request->changed_ms = stat->mtime;
}

uint32_t zs_answer_failed_step(const struct zs_request *request) {
    const zoo_op_result_t *results = request->results;
    for (uint32_t i = 0; i < request->step_count; i++) {
        if (results[i].err != ZOK && results[i].err != ZRUNTIMEINCONSISTENCY)
            return i;
    }
    return 0;
}
