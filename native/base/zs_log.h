// Where log lines go. No global: the plugin lives inside somebody's JVM and hands its lines to SLF4J, the daemon
// writes to standard error, a unit test collects them.
#ifndef ZS_LOG_H
#define ZS_LOG_H

enum zs_level { ZS_LEVEL_ERROR = 0, ZS_LEVEL_WARN, ZS_LEVEL_INFO, ZS_LEVEL_DEBUG };

struct zs_log {
    // Takes one line without newline; copies what it keeps. Called from any thread, must not block for long.
    void (*write)(void *context, enum zs_level level, const char *line);
    void *context;
    enum zs_level level; // lines above it are not even formatted
};

const char *zs_level_name(enum zs_level level);
// "error", "warn", "info", "debug", any case; what is none of these is INFO.
enum zs_level zs_level_parse(const char *name);

// Formats and writes one line of at most 2,000 bytes; control characters become '?', so a znode's name cannot forge
// a line. `log` may be NULL. Thread: any.
void zs_logf(const struct zs_log *log, enum zs_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// A sink for daemons: "2026-11-22T16:47:34.123Z WARN line" on standard error; if that is systemd's journal, with the
// priority in front, so that `journalctl -p warning` shows warnings.
void zs_log_to_stderr(void *context, enum zs_level level, const char *line);

#endif
