package io.zoospan;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Supplier;
import org.apache.zookeeper.jmx.MBeanRegistry;
import org.apache.zookeeper.server.ServerCnxnFactory;
import org.apache.zookeeper.server.ZooSpanHooks;

/**
 * ZooSpan in this JVM: started by the first connection factory that the server constructs, known to the others (a
 * server with a client port and a secure one has two).
 */
public final class Plugin {
    private static final long CLOSE_MS = 2000;
    private static Plugin instance;

    private final List<ServerCnxnFactory> factories = new CopyOnWriteArrayList<>();

    private Plugin() {
    }

    /**
     * Starts ZooSpan, once. If it cannot start, zoospan.on_error decides: by default this throws, and so the server
     * does not start; else the server starts as if there were no ZooSpan.
     */
    public static synchronized void start(ServerCnxnFactory factory) {
        if (instance == null) {
            Plugin plugin = new Plugin();
            plugin.open(new Settings(System.getProperties()));
            instance = plugin;
        }
        instance.factories.add(factory);
    }

    /** What leaves this must be an Exception: an Error would end main but leave other threads of the server running. */
    private void open(Settings settings) {
        try {
            Native.load(Library.find(settings.library(), Library.jar()));
            surround(new Engine(settings), settings);
        } catch (Throwable t) {
            refuse(settings, t);
        }
    }

    /** The links run by now and must not outlive a failure. ZooKeeper's registry, which starts the capture, comes last. */
    private void surround(Engine engine, Settings settings) {
        Capture capture = new Capture(engine, new Logs(settings.snapDir(), ZooSpanHooks.version()));
        Beans beans = new Beans(capture);
        Watch watch = new Watch(settings, engine, capture, beans, factories);
        List<Thread> ours = new ArrayList<>();
        ours.add(daemon("zoospan-log", () -> drain(engine)));
        ours.addAll(walks(settings.destinations(), engine, watch::serving));
        try {
            ours.forEach(Thread::start);
            daemon("zoospan-watch", watch).start();
            AdminCommand.register(watch);
            Runtime.getRuntime().addShutdownHook(new Thread(() -> close(engine, capture, ours), "zoospan-close"));
            MBeanRegistry.setInstance(beans);
        } catch (Throwable t) {
            shut(engine, capture, ours);
            throw t;
        }
    }

    private static void refuse(Settings settings, Throwable t) {
        String what = t instanceof StartException ? t.getMessage() : t.toString();
        Throwable cause = t instanceof StartException ? t.getCause() : t;
        if (settings.disableOnError()) {
            Log.shout("cannot start: " + what + ". The server runs without ZooSpan, nothing is replicated, because"
                + " zoospan.on_error is disable", cause);
            return;
        }
        Log.shout("cannot start: " + what + ". The server does not start either (zoospan.on_error=disable would start"
            + " it without replication)", cause);
        throw new IllegalStateException("ZooSpan cannot start: " + what, cause);
    }

    /** One for each link, so that a destination that takes nothing holds up no image but its own. */
    static List<Thread> walks(String[] destinations, Images images, Supplier<CaptureProcessor> serving) {
        List<Thread> walks = new ArrayList<>();
        for (String destination : destinations) {
            walks.add(daemon("zoospan-walk-" + destination, new Walk(images, serving)));
        }
        return walks;
    }

    private static Thread daemon(String name, Runnable body) {
        Thread thread = new Thread(body, name);
        thread.setDaemon(true);
        return thread;
    }

    private static void drain(Engine engine) {
        byte[][] line = new byte[1][];
        for (int level = Engine.NOTHING; level != Engine.END; level = engine.nextLog(1000, line)) {
            if (level != Engine.NOTHING) {
                Log.write(level, Engine.text(line[0]));
            }
        }
    }

    /**
     * Bounded: a broker that does not answer must not keep the server from stopping; then the process ends with the
     * links as they are.
     */
    private static void close(Engine engine, Capture capture, List<Thread> ours) {
        Thread closer = daemon("zoospan-stop", () -> shut(engine, capture, ours));
        closer.start();
        joinQuietly(closer, CLOSE_MS);
    }

    /** The server goes on committing while its JVM shuts down, so the commit thread is shut out first. */
    private static void shut(Engine engine, Capture capture, List<Thread> ours) {
        capture.close();
        engine.stop();
        boolean ended = true;
        for (Thread thread : ours) {
            joinQuietly(thread, CLOSE_MS);
            ended &= !thread.isAlive();
        }
        if (ended) {
            engine.free();
        }
    }

    private static void joinQuietly(Thread thread, long ms) {
        try {
            thread.join(ms);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
