package io.zoospan;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The server's log, logger io.zoospan. Debian's server has no SLF4J binding on its classpath, so its log goes nowhere;
 * what an operator must not miss, warnings and errors, then goes to standard error.
 */
final class Log {
    static final int ERROR = 0;
    static final int WARN = 1;
    static final int INFO = 2;
    static final int DEBUG = 3;

    private static final Logger LOG = LoggerFactory.getLogger("io.zoospan");
    private static final boolean UNBOUND = LoggerFactory.getILoggerFactory().getClass().getName().contains("NOPLogger");

    private Log() {
    }

    static void write(int level, String line) {
        switch (level) {
            case ERROR:
                LOG.error(line);
                break;
            case WARN:
                LOG.warn(line);
                break;
            case INFO:
                LOG.info(line);
                break;
            default:
                LOG.debug(line);
                break;
        }
        if (UNBOUND && level <= WARN) {
            print(level, line);
        }
    }

    /** Into the log, and on standard error whether there is a log or not. */
    static void shout(String line, Throwable cause) {
        LOG.error(line, cause);
        print(ERROR, line);
    }

    private static void print(int level, String line) {
        System.err.println((level == ERROR ? "ERROR" : "WARN") + " ZooSpan: " + line);
    }
}
