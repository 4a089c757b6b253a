package io.zoospan;

import org.apache.zookeeper.server.NIOServerCnxnFactory;

/**
 * What zoo.cfg names to switch ZooSpan on: {@code serverCnxnFactory=io.zoospan.NIOFactory}. It is ZooKeeper's own
 * connection factory and changes nothing about connections; being constructed early in every server is all it is for.
 */
public class NIOFactory extends NIOServerCnxnFactory {
    public NIOFactory() {
        Plugin.start(this);
    }
}
