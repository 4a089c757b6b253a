package io.zoospan;

import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.jmx.MBeanRegistry;
import org.apache.zookeeper.server.ServerCnxnFactory;
import org.apache.zookeeper.server.ZooKeeperServer;
import org.apache.zookeeper.server.ZooSpanHooks;
import org.apache.zookeeper.server.quorum.ZooSpanQuorumHooks;

/**
 * Looks after the server once a second, off its own threads: whether it serves, with the tap really in its chain (said
 * once per role), what the site's history is and how far its markers are, whether txns could not be captured (said
 * once a minute at most), and whether ZooKeeper has found the tree wrong (said once per tree).
 *
 * <p>Nothing else notices that a chain has ended. A server that is cut off from its ensemble keeps its JVM, its
 * connections to RabbitMQ and with them the right to publish; so the links are told, and another server of the site
 * gets its turn. While it does not serve, it is looked at more often, so that links do not wait for a new role. And all the
 * time it is looked at whether its tree is the one of before.
 */
final class Watch implements Runnable {
    private static final String NO_ROLE = "none";
    private static final String HISTORY = "/zoospan/history";
    private static final String APPLIED = "/zoospan/applied/";
    private static final int LOOKS = 10; // at the tree, for one at everything
    private static final long PERIOD_MS = 100;
    private static final long REPEAT_NANOS = TimeUnit.MINUTES.toNanos(1);

    private final Settings settings;
    private final Engine engine;
    private final Capture capture;
    private final MBeanRegistry beans;
    private final List<ServerCnxnFactory> factories;
    private final List<Watched> watched = new ArrayList<>();

    private WeakReference<ZooKeeperServer> checked = new WeakReference<>(null);
    private long saidFailure = System.nanoTime() - REPEAT_NANOS;
    private volatile String role = NO_ROLE;
    private volatile boolean attached;
    /** What is known to be wrong with the tree, and of which tree that was said. */
    private volatile String fault;
    private KnownTree saidFault;

    Watch(Settings settings, Engine engine, Capture capture, MBeanRegistry beans, List<ServerCnxnFactory> factories) {
        this.settings = settings;
        this.engine = engine;
        this.capture = capture;
        this.beans = beans;
        this.factories = factories;
        // The history last: links begin when they know it, and then know the markers.
        for (String destination : settings.destinations()) {
            watched.add(new Watched(APPLIED + destination, data -> engine.marker(destination, data)));
        }
        watched.add(new Watched(HISTORY, engine::history));
    }

    @Override
    public void run() {
        for (int i = 1; !engine.ended(); i++) {
            try {
                Thread.sleep(PERIOD_MS);
                capture.look();
                if (!attached || i % LOOKS == 0) {
                    look();
                }
            } catch (InterruptedException e) {
                return;
            } catch (Throwable t) {
                // A server on its way down may throw anything here; the next look is at the next server.
                Log.write(Log.DEBUG, "looking after the server: " + t);
                see(null);
            }
        }
    }

    private void look() throws ReflectiveOperationException {
        sayFailure();
        ZooKeeperServer zks = running();
        if (zks != null && zks != checked.get()) {
            role = ZooSpanQuorumHooks.role(zks);
            sayAttached(zks);
        }
        see(zks);
        if (attached) {
            sayFault();
            for (Watched node : watched) {
                node.look(path -> ZooSpanHooks.data(zks, path));
            }
        }
    }

    /** The server that has been looked at; null: none serves. */
    private void see(ZooKeeperServer zks) {
        checked = new WeakReference<>(zks);
        if (zks == null) {
            role = NO_ROLE;
            attached = false;
        }
        engine.serving(attached);
    }

    /** The tap in the chain of the server that serves, or null. */
    CaptureProcessor serving() {
        CaptureProcessor tap = attached ? capture.newest() : null;
        return tap != null && tap.zks.isRunning() ? tap : null;
    }

    /** A leader that does not serve clients (leaderServes=no) is known to no factory, but its chain commits as any other. */
    private ZooKeeperServer running() {
        for (ServerCnxnFactory factory : factories) {
            ZooKeeperServer zks = factory.getZooKeeperServer();
            if (zks != null && zks.isRunning()) {
                return zks;
            }
        }
        CaptureProcessor tap = capture.newest();
        return tap != null && tap.zks.isRunning() ? tap.zks : null;
    }

    private void sayAttached(ZooKeeperServer zks) throws ReflectiveOperationException {
        if (ZooSpanQuorumHooks.isReadOnly(zks)) {
            attached = false;
            Log.write(Log.INFO, "this server is read-only for now, cut off from its ensemble: there is nothing to capture");
            return;
        }
        CaptureProcessor tap = capture.tapOf(zks);
        attached = tap != null;
        if (attached) {
            Log.write(Log.INFO, "ZooSpan captures on this server: role " + role + ", base zxid 0x"
                + Long.toHexString(tap.base) + ", links " + settings.links());
        } else {
            Log.shout("ZooSpan is configured but its tap is not in the request chain of this server (role " + role + "): "
                + reason() + ". Nothing that is committed from here on is captured by this server", capture.hookFailure());
        }
    }

    private String reason() {
        if (capture.hookFailure() != null) {
            return capture.hookFailure().toString();
        }
        if (MBeanRegistry.getInstance() != beans) {
            return "something else has replaced ZooKeeper's JMX registry (" + MBeanRegistry.getInstance().getClass().getName()
                + ") after ZooSpan did";
        }
        return "something else has changed the chain, or this is a version of ZooKeeper that ZooSpan does not know";
    }

    private void sayFailure() {
        if (System.nanoTime() - saidFailure < REPEAT_NANOS) {
            return;
        }
        Throwable failure = capture.takeFailure();
        if (failure != null) {
            saidFailure = System.nanoTime();
            Log.shout("txns could not be captured, " + capture.failures() + " since the start; a link whose destination"
                + " lacks one of them goes to GAP. The newest reason: " + failure, failure);
        }
    }

    private void sayFault() {
        CaptureProcessor tap = capture.newest();
        fault = tap == null ? null : tap.tree.fault();
        if (fault != null && tap.tree != saidFault) {
            saidFault = tap.tree;
            Log.shout(fault + ". Until then it sends no image", null);
        }
    }

    /** For AdminServer; the rest of the answer is the native side's. */
    Map<String, Object> status() {
        Map<String, Object> status = new LinkedHashMap<>();
        status.put("role", role);
        status.put("attached", attached);
        status.put("capture_failures", capture.failures());
        status.put("tree_fault", fault);
        return status;
    }

    /** JSON, or null when the plugin has been closed. */
    String nativeStatus() {
        return engine.status();
    }
}
