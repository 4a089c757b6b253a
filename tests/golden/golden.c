#include "golden.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct zs_slice read_file(const char *path) {
    struct zs_buffer all;
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        abort();
    }
    zs_buffer_init(&all, 1 << 24);
    for (int c; (c = fgetc(file)) != EOF;)
        zs_put_u8(&all, (uint8_t)c);
    fclose(file);
    size_t len = all.len;
    zs_put_u8(&all, 0); // so that a text file is a C string
    return (struct zs_slice){all.at, len};
}

static void check_one(const char *folder, const char *file, size_t name_len,
                      void (*check)(const char *name, struct zs_slice bytes, const char *expected)) {
    char path[4096], name[256];
    snprintf(name, sizeof name, "%.*s", (int)name_len, file);
    snprintf(path, sizeof path, "%s/golden/%s/%s", ZS_TESTS_DIR, folder, file);
    struct zs_slice bytes = read_file(path);
    snprintf(path, sizeof path, "%s/golden/%s/%s.txt", ZS_TESTS_DIR, folder, name);
    struct zs_slice expected = read_file(path);
    char *text = (char *)expected.at;
    if (expected.len && text[expected.len - 1] == '\n')
        text[expected.len - 1] = '\0';
    check(name, bytes, text);
    free((void *)bytes.at);
    free(text);
}

int golden_each(const char *folder, const char *extension,
                void (*check)(const char *name, struct zs_slice bytes, const char *expected)) {
    char path[4096];
    struct dirent **files;
    int done = 0;
    snprintf(path, sizeof path, "%s/golden/%s", ZS_TESTS_DIR, folder);
    int count = scandir(path, &files, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        const char *dot = strrchr(files[i]->d_name, '.');
        if (dot && strcmp(dot + 1, extension) == 0) {
            check_one(folder, files[i]->d_name, (size_t)(dot - files[i]->d_name), check);
            done++;
        }
        free(files[i]);
    }
    if (count >= 0)
        free(files);
    return done;
}

void dump_format(struct zs_buffer *out, const char *format, ...) {
    char line[4096];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    zs_put_bytes(out, line, (size_t)len < sizeof line ? (size_t)len : sizeof line - 1);
}

void dump_data(struct zs_buffer *out, struct zs_slice data) {
    if (!data.at) {
        dump_format(out, "null");
        return;
    }
    size_t shown = data.len <= 64 ? data.len : 16;
    for (size_t i = 0; i < shown; i++)
        dump_format(out, "%02x", data.at[i]);
    if (shown < data.len)
        dump_format(out, "...(%zu bytes)", data.len);
}

void dump_acls(struct zs_buffer *out, const struct zs_acls *acls) {
    dump_format(out, "[");
    for (uint32_t i = 0; i < acls->count; i++)
        dump_format(out, "%s%" PRIu32 " %s:%s", i ? "; " : "", acls->entries[i].perms,
                    acls->entries[i].scheme, acls->entries[i].id);
    dump_format(out, "]");
}

const char *dump_kind(enum zs_kind kind) {
    static const char *const names[] = {"PERSISTENT", "EPHEMERAL", "CONTAINER", "TTL"};
    return names[kind];
}

static void dump_op(struct zs_buffer *out, const struct zs_op *op) {
    switch (op->type) {
    case ZS_OP_CREATE:
        dump_format(out, "CREATE %s %s data=", dump_kind(op->kind), op->path);
        dump_data(out, op->data);
        dump_format(out, " acls=");
        dump_acls(out, &op->acls);
        dump_format(out, " session=0x%" PRIx64 " ttl=%" PRId64, (uint64_t)op->session, op->ttl_ms);
        return;
    case ZS_OP_DELETE:
        dump_format(out, "DELETE %s", op->path);
        return;
    case ZS_OP_SET:
        dump_format(out, "SET %s data=", op->path);
        dump_data(out, op->data);
        return;
    case ZS_OP_SET_ACL:
        dump_format(out, "SET_ACL %s acls=", op->path);
        dump_acls(out, &op->acls);
        return;
    case ZS_OP_CLOSE_SESSION:
        dump_format(out, "CLOSE_SESSION session=0x%" PRIx64 " paths_known=%d", (uint64_t)op->session,
                    op->paths_known);
        return;
    }
}

void dump_ops(struct zs_buffer *out, const struct zs_op *ops, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        dump_format(out, "\n");
        dump_op(out, &ops[i]);
    }
}
