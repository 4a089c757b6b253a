// zoospan-optdoc DOCUMENT ROLE [FRAME]: writes a document made from the option table to standard output.
// DOCUMENT is help, markdown, man or example; ROLE is plugin or applier. With FRAME, that file is written, with the
// document in place of a line @OPTIONS@ and the version in place of @VERSION@.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zs_options.h"

static int index_in(const char *const *names, int count, const char *name) {
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0)
            return i;
    }
    return -1;
}

static void write_line(const char *line) {
    static const char mark[] = "@VERSION@";
    for (const char *at; (at = strstr(line, mark)); line = at + strlen(mark))
        printf("%.*s" ZS_VERSION, (int)(at - line), line);
    fputs(line, stdout);
}

static int write_framed(const char *frame, enum zs_document document, enum zs_role role) {
    char line[1000];
    FILE *from = fopen(frame, "r");
    if (!from) {
        perror(frame);
        return 1;
    }
    while (fgets(line, sizeof line, from)) {
        if (strcmp(line, "@OPTIONS@\n") == 0)
            zs_options_document(stdout, document, role);
        else
            write_line(line);
    }
    fclose(from);
    return 0;
}

int main(int argc, char **argv) {
    static const char *const documents[] = {"help", "markdown", "man", "example"};
    static const char *const roles[] = {"plugin", "applier"};
    int document = argc > 2 ? index_in(documents, 4, argv[1]) : -1;
    int role = argc > 2 ? index_in(roles, 2, argv[2]) : -1;
    if (document < 0 || role < 0 || argc > 4) {
        fprintf(stderr, "usage: zoospan-optdoc help|markdown|man|example plugin|applier [FRAME]\n");
        return 2;
    }
    int failed = 0;
    if (argc == 4)
        failed = write_framed(argv[3], (enum zs_document)document, role ? ZS_ROLE_APPLIER : ZS_ROLE_PLUGIN);
    else
        zs_options_document(stdout, (enum zs_document)document, role ? ZS_ROLE_APPLIER : ZS_ROLE_PLUGIN);
    if (fflush(stdout) != 0) {
        perror("standard output");
        return 1;
    }
    return failed;
}
