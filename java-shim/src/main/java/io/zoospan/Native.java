package io.zoospan;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.StandardCopyOption;

/**
 * The native methods of libzoospan.so. Text crosses as UTF-8 bytes. They throw nothing but what the JVM itself raises
 * when it is out of memory; a handle is what open returned, and must not be used by anyone once free has been called:
 * {@link Engine} sees to that.
 */
final class Native {
    private Native() {
    }

    /** Loads the library and makes sure that it was built from the same sources as this jar. */
    static void load(File library) {
        try {
            if (!loadCopy(library)) {
                System.load(library.getPath());
            }
        } catch (UnsatisfiedLinkError e) {
            throw new StartException(library + " cannot be loaded: " + e.getMessage()
                + "; check that it is readable, built for this machine, and that the libraries it needs are installed"
                + " (librabbitmq, libjansson, liblz4; ldd shows which is missing)", e);
        }
        String version;
        try {
            version = new String(version(), StandardCharsets.UTF_8);
        } catch (UnsatisfiedLinkError e) {
            throw new StartException(library + " is not ZooSpan's library; zoospan.library must name libzoospan.so", e);
        }
        if (!version.equals(Version.TEXT)) {
            throw new StartException(library + " is of version " + version + ", zoospan.jar of version " + Version.TEXT
                + "; install both from the same build", null);
        }
    }

    /**
     * A copy of our own, without a name as soon as it is loaded: who writes over the file of a library that is in use ("cp") takes
     * the whole server with it. False: there is no place for a copy, or none that a library may be loaded from.
     */
    private static boolean loadCopy(File library) {
        File copy = null;
        try {
            copy = File.createTempFile("zoospan-", ".so");
            Files.copy(library.toPath(), copy.toPath(), StandardCopyOption.REPLACE_EXISTING);
            System.load(copy.getPath());
            return true;
        } catch (IOException | UnsatisfiedLinkError e) {
            return false;
        } finally {
            if (copy != null && !copy.delete()) {
                copy.deleteOnExit();
            }
        }
    }

    static native byte[] version();

    /** A handle, or 0 with the reason in error[0]. What is fragile must be plain ASCII, see {@link Settings}. */
    static native long open(byte[][] keys, byte[][] values, boolean[] fragile, byte[] file, byte[][] error);

    static native void beginning(long handle, long zxid);

    static native void logs(long handle, byte[] logDir, byte[] snapDir, long floor, boolean proposals);

    static native void begin(long handle, long base, int chain);

    static native boolean offer(long handle, long zxid, byte[] bytes, int len);

    static native void lost(long handle, long zxid);

    static native void history(long handle, byte[] text);

    static native void marker(long handle, byte[] destination, byte[] json);

    static native void serving(long handle, boolean serving);

    /** The number of an image that is wanted, with its path and destination in names; 0: none came in time; -2: none ever will. */
    static native long nextImage(long handle, int timeoutMs, byte[][] names);

    /** What an image holds of a path: {@link Images#NODE}, {@link Images#BENEATH}, both, or 0. */
    static native int imageCarries(long handle, long id, byte[] path);

    /**
     * Hands over a chunk; waits while many are on their way. False: the image is not wanted any more. Null, or no memory: the
     * walk has failed, and whoever wants the image learns it.
     */
    static native boolean image(long handle, long id, byte[] bytes, int len);

    static native byte[] status(long handle);

    /** The level of line[0], 0 (error) to 3 (debug); -1: nothing came in time; -2: nothing will come any more. */
    static native int nextLog(long handle, int timeoutMs, byte[][] line);

    static native void stop(long handle);

    static native void free(long handle);
}
