package io.zoospan;

import javax.management.JMException;
import org.apache.zookeeper.jmx.MBeanRegistry;
import org.apache.zookeeper.jmx.ZKMBeanInfo;

/**
 * ZooKeeper's JMX registry, told of every bean: it is the one place that every server of every role passes when its
 * request chain has been built and before it serves.
 */
final class Beans extends MBeanRegistry {
    private final Capture capture;

    Beans(Capture capture) {
        this.capture = capture;
    }

    @Override
    public void register(ZKMBeanInfo bean, ZKMBeanInfo parent) throws JMException {
        capture.onBean(bean, parent);
        super.register(bean, parent);
    }
}
