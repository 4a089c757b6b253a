package org.apache.zookeeper.server;

import io.zoospan.Plugin;

/**
 * {@link io.zoospan.NIOFactory} for servers that want Netty, as a secureClientPort does. It lives in this package
 * because Netty's factory has a constructor that only the package sees.
 */
public class ZooSpanNettyFactory extends NettyServerCnxnFactory {
    public ZooSpanNettyFactory() {
        Plugin.start(this);
    }
}
