package io.zoospan;

import java.util.Arrays;
import java.util.function.Consumer;
import java.util.function.Function;

/** The data of one znode, which somebody is told about when it has changed. */
final class Watched {
    private final String path;
    private final Consumer<byte[]> told;
    private byte[] data;

    /** {@code told} is taken to know of no data to begin with. */
    Watched(String path, Consumer<byte[]> told) {
        this.path = path;
        this.told = told;
    }

    /** {@code tree}: from a path to its data; null: there is no such znode. */
    void look(Function<String, byte[]> tree) {
        byte[] now = tree.apply(path);
        if (!Arrays.equals(now, data)) {
            told.accept(now);
            data = now;
        }
    }
}
