package io.zoospan;

/** ZooSpan cannot start. The message is for the operator: what is wrong, where, and how to mend it. */
final class StartException extends RuntimeException {
    private static final long serialVersionUID = 1;

    StartException(String message, Throwable cause) {
        super(message, cause);
    }
}
