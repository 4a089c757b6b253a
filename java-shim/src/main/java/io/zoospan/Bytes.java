package io.zoospan;

import java.io.OutputStream;
import java.util.Arrays;

/**
 * A ByteArrayOutputStream without its locks and with its array in reach. What grew beyond <code>keptMax</code> is given back
 * when it is cleared.
 */
final class Bytes extends OutputStream {
    private static final int START = 4096;

    private final int keptMax;
    private byte[] array = new byte[START];
    private int length;

    Bytes(int keptMax) {
        this.keptMax = keptMax;
    }

    byte[] array() {
        return array;
    }

    int length() {
        return length;
    }

    void clear() {
        length = 0;
        if (array.length > keptMax) {
            array = new byte[START];
        }
    }

    @Override
    public void write(int b) {
        reserve(1);
        array[length++] = (byte) b;
    }

    @Override
    public void write(byte[] from, int offset, int count) {
        reserve(count);
        System.arraycopy(from, offset, array, length, count);
        length += count;
    }

    void cut(int from, int to) {
        System.arraycopy(array, to, array, from, length - to);
        length -= to - from;
    }

    private void reserve(int more) {
        int needed = Math.addExact(length, more);
        if (needed > array.length) {
            array = Arrays.copyOf(array, (int) Math.min(Integer.MAX_VALUE - 8L, Math.max(needed, 2L * array.length)));
        }
    }
}
