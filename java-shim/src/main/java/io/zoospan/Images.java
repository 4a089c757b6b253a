package io.zoospan;

/** Images of the tree that links want, and where a walk hands over what it sees. */
interface Images {
    int NODE = 1;
    int BENEATH = 2;

    /**
     * The number of an image that is wanted, with its path and destination in names; 0: none came in time; {@link Engine#END}:
     * none ever will.
     */
    long next(int timeoutMs, byte[][] names);

    /**
     * What the image's link carries of a path: {@link #NODE}, the node itself; {@link #BENEATH}, perhaps something beneath it.
     */
    int carried(long id, byte[] path);

    /**
     * Hands over a chunk. Waits while many are on their way to this link. False: the image is not wanted any more.
     *
     * @param bytes null: the walk has failed
     */
    boolean put(long id, byte[] bytes, int len);
}
