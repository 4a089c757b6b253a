#include "zs_log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

const char *zs_level_name(enum zs_level level) {
    static const char *const names[] = {"ERROR", "WARN", "INFO", "DEBUG"};
    return names[level <= ZS_LEVEL_DEBUG ? level : ZS_LEVEL_DEBUG];
}

enum zs_level zs_level_parse(const char *name) {
    for (enum zs_level level = ZS_LEVEL_ERROR; level <= ZS_LEVEL_DEBUG; level++) {
        if (strcasecmp(name, zs_level_name(level)) == 0)
            return level;
    }
    return ZS_LEVEL_INFO;
}

void zs_logf(const struct zs_log *log, enum zs_level level, const char *format, ...) {
    if (!log || !log->write || level > log->level)
        return;
    char line[2000];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    for (char *c = line; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    }
    log->write(log->context, level, line);
}

// Whether standard error is the journal, by the rule of systemd.exec(5), $JOURNAL_STREAM.
static bool is_journal(void) {
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat about;
    char ours[64];
    if (!stream || fstat(STDERR_FILENO, &about) != 0)
        return false;
    snprintf(ours, sizeof ours, "%ju:%ju", (uintmax_t)about.st_dev, (uintmax_t)about.st_ino);
    return strcmp(stream, ours) == 0;
}

void zs_log_to_stderr(void *context, enum zs_level level, const char *line) {
    (void)context;
    static const char *const priorities[] = {"<3>", "<4>", "<6>", "<7>"}; // sd-daemon(3)
    struct timespec now;
    struct tm utc;
    char stamp[32];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    fprintf(stderr, "%s%s.%03ldZ %s %s\n", is_journal() ? priorities[level] : "", stamp,
            now.tv_nsec / 1000000, zs_level_name(level), line);
}
