package io.zoospan;

import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.HashSet;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import org.apache.zookeeper.server.quorum.QuorumPeerConfig;

/**
 * The zoospan.* keys of zoo.cfg. ZooKeeper turns a key that it does not know, K, into the system property zookeeper.K;
 * that is where they are read, so that -D works too. What they may be is checked by the native side, which has the
 * one option table; only the two that matter before it is loaded are looked at here.
 *
 * A value means what the operator typed. ZooKeeper reads zoo.cfg as ISO-8859-1, whatever its encoding, so what came from
 * there is read from the file once more, as UTF-8. A value is fragile, and must be plain ASCII, where that does not tell:
 * ZooKeeper writes the file anew (if reconfigEnabled is true; in the locale's charset, without backslashes), the file is
 * not UTF-8, or the value did not come from it (-D, which the JVM reads in the locale's charset).
 */
final class Settings {
    private static final String PREFIX = "zookeeper.";
    private static final String OURS = "zookeeper.zoospan.";
    private static final String SERVER_NAME = "zoospan.server_name";

    private static final char MALFORMED = '\ufffd';

    private final Map<String, String> values = new TreeMap<>();
    private final Set<String> fragile = new HashSet<>();
    private final File file;
    private final File snapDir;

    Settings(Properties system) {
        this(system, QuorumPeerConfig.isReconfigEnabled());
    }

    /** {@code rewritten}: whether ZooKeeper may write zoo.cfg anew. */
    Settings(Properties system, boolean rewritten) {
        String command = system.getProperty("sun.java.command", "");
        Properties config = new Properties(); // as ZooKeeper reads it
        Properties typed = new Properties();
        file = configFile(command.substring(command.indexOf(' ') + 1), config, typed);
        for (String name : system.stringPropertyNames()) {
            if (name.startsWith(OURS)) {
                String key = name.substring(PREFIX.length());
                String value = system.getProperty(name);
                boolean ofFile = value.equals(config.getProperty(key, "").trim());
                boolean sure = ofFile && typed.getProperty(key, "").indexOf(MALFORMED) < 0;
                values.put(key, sure ? typed.getProperty(key).trim() : value);
                if (rewritten || !sure) {
                    fragile.add(key);
                }
            }
        }
        String dataDir = config.getProperty("dataDir");
        snapDir = file == null || dataDir == null ? null : new File(dataDir.trim(), "version-2");
        if (!values.containsKey(SERVER_NAME)) {
            values.put(SERVER_NAME, serverName(config));
        }
    }

    /** The server's main class is started with the path of zoo.cfg; anything else than that is not one. */
    private static File configFile(String path, Properties config, Properties typed) {
        File file = new File(path);
        if (!file.isFile()) {
            return null;
        }
        try {
            byte[] bytes = Files.readAllBytes(file.toPath());
            config.load(new ByteArrayInputStream(bytes));
            typed.load(new InputStreamReader(new ByteArrayInputStream(bytes), StandardCharsets.UTF_8));
        } catch (IOException | IllegalArgumentException e) {
            return null;
        }
        return config.containsKey("dataDir") ? file.getAbsoluteFile() : null;
    }

    /** Host and client port, which is how an operator knows a server; a server without one has its process id. */
    private static String serverName(Properties config) {
        String port = config.getProperty("clientPort", config.getProperty("secureClientPort"));
        String process = ManagementFactory.getRuntimeMXBean().getName(); // pid@host
        return hostName() + ":" + (port != null ? port.trim() : "pid " + process.split("@")[0]);
    }

    private static String hostName() {
        try {
            return InetAddress.getLocalHost().getHostName();
        } catch (UnknownHostException e) {
            return "localhost";
        }
    }

    /** Whether the server shall go on without ZooSpan when ZooSpan cannot start. */
    boolean disableOnError() {
        return "disable".equals(values.get("zoospan.on_error"));
    }

    /** zoospan.library, or null. */
    String library() {
        return values.get("zoospan.library");
    }

    /** Where the server's snapshots lie, or null if zoo.cfg is not known. */
    File snapDir() {
        return snapDir;
    }

    String links() {
        return values.get("zoospan.links");
    }

    /** The names in zoospan.links, as the native side takes them apart. */
    String[] destinations() {
        String links = links();
        return links == null || links.trim().isEmpty() ? new String[0] : links.trim().split("[ \\t]*,[ \\t]*");
    }

    byte[][] keys() {
        return values.keySet().stream().map(Engine::bytes).toArray(byte[][]::new);
    }

    byte[][] values() {
        return values.values().stream().map(Engine::bytes).toArray(byte[][]::new);
    }

    /** Of each of the values, whether only plain ASCII is believed. */
    boolean[] fragile() {
        boolean[] all = new boolean[values.size()];
        int i = 0;
        for (String key : values.keySet()) {
            all[i++] = fragile.contains(key);
        }
        return all;
    }

    /** The path of zoo.cfg, or null. */
    byte[] file() {
        return file == null ? null : Engine.bytes(file.getPath());
    }
}
