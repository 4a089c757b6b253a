// The groups of this program, each in its own file. They return the number of failed tests.
#ifndef TEST_WIRE_H
#define TEST_WIRE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

int batch_tests(void);
int format_page_tests(void);
int quarantine_tests(void);
int report_tests(void);
int resync_tests(void);

#endif
