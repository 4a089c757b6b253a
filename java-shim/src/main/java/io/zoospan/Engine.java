package io.zoospan;

import java.io.File;
import java.nio.charset.StandardCharsets;

/**
 * The native side, opened. Frees it exactly once, and only when nobody is in it: {@link Capture#close} has kept the
 * commit thread out by then, the log thread has ended, and everybody else passes this object's lock.
 */
final class Engine implements Sink, Images {
    static final int NOTHING = -1;
    static final int END = -2;

    private final long capture; // the handle as the commit thread uses it: without a lock, until Capture.close
    private long handle;
    private volatile boolean ended;

    /** Opens the native side, which starts its links. Throws StartException. */
    Engine(Settings settings) {
        byte[][] error = new byte[1][];
        handle = Native.open(settings.keys(), settings.values(), settings.fragile(), settings.file(), error);
        if (handle == 0) {
            throw new StartException(error[0] == null ? "out of memory" : text(error[0]), null);
        }
        capture = handle;
    }

    static byte[] bytes(String text) {
        return text == null ? null : text.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    @Override
    public void beginning(long zxid) {
        Native.beginning(capture, zxid);
    }

    @Override
    public void logs(File logDir, File snapDir, long floor, boolean proposals) {
        Native.logs(capture, path(logDir), path(snapDir), floor, proposals);
    }

    private static byte[] path(File file) {
        return file == null ? null : bytes(file.getPath());
    }

    @Override
    public void begin(long base, int chain) {
        Native.begin(capture, base, chain);
    }

    @Override
    public boolean offer(long zxid, byte[] bytes, int len) {
        return Native.offer(capture, zxid, bytes, len);
    }

    @Override
    public void lost(long zxid) {
        Native.lost(capture, zxid);
    }

    /** The data of /zoospan/history; null: there is none. */
    synchronized void history(byte[] text) {
        if (handle != 0) {
            Native.history(handle, text);
        }
    }

    /** The data of /zoospan/applied/(destination); null: there is none. */
    synchronized void marker(String destination, byte[] json) {
        if (handle != 0) {
            Native.marker(handle, bytes(destination), json);
        }
    }

    /** Whether this server serves with the tap in its chain: if not, the links leave the field to other servers. */
    synchronized void serving(boolean serving) {
        if (handle != 0) {
            Native.serving(handle, serving);
        }
    }

    /** JSON, or null after close. */
    synchronized String status() {
        byte[] status = handle == 0 ? null : Native.status(handle);
        return status == null ? null : text(status);
    }

    boolean ended() {
        return ended;
    }

    /** For the log thread alone, which must have ended before {@link #free}. */
    int nextLog(int timeoutMs, byte[][] line) {
        return Native.nextLog(capture, timeoutMs, line);
    }

    /** For the walks' threads alone, as the rest of Images: they must have ended before {@link #free}. */
    @Override
    public long next(int timeoutMs, byte[][] names) {
        return Native.nextImage(capture, timeoutMs, names);
    }

    @Override
    public int carried(long id, byte[] path) {
        return Native.imageCarries(capture, id, path);
    }

    @Override
    public boolean put(long id, byte[] bytes, int len) {
        return Native.image(capture, id, bytes, len);
    }

    /** Ends the links and the log. */
    void stop() {
        ended = true;
        Native.stop(capture);
    }

    synchronized void free() {
        if (handle != 0) {
            Native.free(handle);
            handle = 0;
        }
    }
}
