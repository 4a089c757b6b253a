// What the test files of this program share.
#ifndef ZS_OPTIONS_TESTS_H
#define ZS_OPTIONS_TESTS_H

#include "zs_options.h"

// Options from a text that must be valid.
struct zs_options *options_of(enum zs_role role, const char *text);
void write_file(const char *path, const char *text, unsigned mode);

int run_secret_tests(void);
int run_document_tests(void);

#endif
