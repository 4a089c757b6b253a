package io.zoospan;

import java.io.File;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.Properties;
import org.apache.zookeeper.ZooDefs.OpCode;
import org.apache.zookeeper.server.Request;
import org.apache.zookeeper.server.RequestProcessor;
import org.apache.zookeeper.server.ZKDatabase;
import org.apache.zookeeper.server.ZooKeeperServer;
import org.apache.zookeeper.server.persistence.FileTxnSnapLog;
import org.apache.zookeeper.txn.SetDataTxn;
import org.apache.zookeeper.txn.TxnHeader;

/**
 * The processor time of the commit thread in the tap, and nothing else of a server: real txns pass a real tap into the real
 * library, whose link sends them to the broker on 127.0.0.1:PORT.
 *
 * <p>{@code TapBench LIBRARY PORT PASSWORD_FILE RATE COUNT}: RATE txns a second, one at a time, so that the link has mostly gone to
 * sleep before the next one comes; 0: one behind the other. PORT 0: no broker, and nobody reads. Prints one JSON object; the time
 * that reading the clock takes has been measured and subtracted.
 */
public final class TapBench {
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
    private static final int PATHS = 1000;
    private static final int CHUNK = 100;

    private final CaptureProcessor tap;
    private final Engine engine;
    private long zxid;

    private TapBench(Engine engine, File dir) throws IOException {
        this.engine = engine;
        ZooKeeperServer zks = new ZooKeeperServer();
        FileTxnSnapLog log = new FileTxnSnapLog(dir, dir);
        zks.setTxnLogFactory(log);
        zks.setZKDatabase(new ZKDatabase(log));
        Capture capture = new Capture(engine, new Logs(null, "3.8.0"));
        capture.note(zks);
        tap = capture.begin(zks, new End());
        engine.serving(true);
        engine.history(Engine.bytes("01234567-89ab-4def-8123-456789abcdef"));
    }

    /** What stands behind the tap. */
    private static final class End implements RequestProcessor {
        @Override
        public void processRequest(Request request) {
        }

        @Override
        public void shutdown() {
        }
    }

    private Request next() {
        zxid++;
        String path = "/registry/com.example.trade.api.OrderQueryService" + zxid % PATHS + "/providers/10.1.2.3:20880-"
            + zxid % PATHS;
        byte[] data = new byte[300];
        Arrays.fill(data, (byte) ('a' + zxid % 26));
        TxnHeader header = new TxnHeader(0x1000123L, (int) zxid, zxid, System.currentTimeMillis(), OpCode.setData);
        return new Request(0, 0, OpCode.setData, header, new SetDataTxn(path, data, 1), zxid);
    }

    private static long clockCost() {
        long begin = THREADS.getCurrentThreadCpuTime();
        for (int i = 0; i < 100000; i++) {
            THREADS.getCurrentThreadCpuTime();
        }
        return (THREADS.getCurrentThreadCpuTime() - begin) / 100000;
    }

    /** Nanoseconds per txn, one by one at a rate. */
    private double paced(int rate, int count) throws Exception {
        long clock = clockCost();
        long spent = 0;
        long due = System.nanoTime();
        for (int i = 0; i < count; i++) {
            Request request = next();
            due += 1_000_000_000L / rate;
            while (System.nanoTime() < due) {
                continue;
            }
            long before = THREADS.getCurrentThreadCpuTime();
            tap.processRequest(request);
            spent += THREADS.getCurrentThreadCpuTime() - before;
        }
        return (double) spent / count - clock;
    }

    /** Nanoseconds per txn, one behind the other. */
    private double flood(int count) throws Exception {
        Request[] requests = new Request[CHUNK];
        long spent = 0;
        for (int i = 0; i < count; i += CHUNK) {
            for (int j = 0; j < CHUNK; j++) {
                requests[j] = next();
            }
            long before = THREADS.getCurrentThreadCpuTime();
            for (Request request : requests) {
                tap.processRequest(request);
            }
            spent += THREADS.getCurrentThreadCpuTime() - before;
        }
        return (double) spent / count;
    }

    private void awaitLive() throws InterruptedException {
        for (int i = 0; i < 3000 && !engine.status().contains("\"LIVE\""); i++) {
            Thread.sleep(10);
        }
        if (!engine.status().contains("\"LIVE\"")) {
            throw new IllegalStateException(engine.status());
        }
    }

    private static Properties settings(int port, String passwordFile) {
        Properties settings = new Properties();
        settings.setProperty("zookeeper.zoospan.site", "sh");
        settings.setProperty("zookeeper.zoospan.links", "bj");
        settings.setProperty("zookeeper.zoospan.amqp_uri", "amqp://zoospan@127.0.0.1:" + (port == 0 ? 1 : port) + "/%2F");
        settings.setProperty("zookeeper.zoospan.amqp_password_file", passwordFile);
        return settings;
    }

    /** See the class. */
    public static void main(String[] args) throws Exception {
        int port = Integer.parseInt(args[1]);
        int rate = Integer.parseInt(args[3]);
        int count = Integer.parseInt(args[4]);
        File dir = Files.createTempDirectory("tap-bench").toFile();
        Native.load(new File(args[0]));
        Engine engine = new Engine(new Settings(settings(port, args[2])));
        TapBench bench = new TapBench(engine, dir);
        if (port != 0) {
            bench.awaitLive();
        }
        bench.flood(200000); // the compiler has seen it all
        double ns = rate == 0 ? bench.flood(count) : bench.paced(rate, count);
        System.out.printf("{\"tap_us\":%.3f}%n", ns / 1000);
        engine.stop();
        engine.free();
        delete(dir);
    }

    private static void delete(File file) {
        File[] inside = file.listFiles();
        if (inside != null) {
            for (File one : inside) {
                delete(one);
            }
        }
        if (!file.delete()) {
            System.err.println(file + " stays");
        }
    }
}
