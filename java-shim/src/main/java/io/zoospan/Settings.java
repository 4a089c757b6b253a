package io.zoospan;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;

/**
 * The zoospan.* keys of zoo.cfg. ZooKeeper turns a key that it does not know, K, into the system property zookeeper.K;
 * that is where they are read, so that -D works too. What they may be is checked by the native side, which has the
 * one option table; only the two that matter before it is loaded are looked at here. The file itself is sought for the
 * sake of messages, which can then name the line.
 */
final class Settings {
    private static final String PREFIX = "zookeeper.";
    private static final String OURS = "zookeeper.zoospan.";
    private static final String SERVER_NAME = "zoospan.server_name";

    private final Map<String, String> values = new TreeMap<>();
    private final File file;
    private final File snapDir;

    Settings(Properties system) {
        for (String name : system.stringPropertyNames()) {
            if (name.startsWith(OURS)) {
                values.put(name.substring(PREFIX.length()), system.getProperty(name));
            }
        }
        String command = system.getProperty("sun.java.command", "");
        Properties config = new Properties();
        file = configFile(command.substring(command.indexOf(' ') + 1), config);
        String dataDir = config.getProperty("dataDir");
        snapDir = file == null || dataDir == null ? null : new File(dataDir.trim(), "version-2");
        if (!values.containsKey(SERVER_NAME)) {
            values.put(SERVER_NAME, serverName(config));
        }
    }

    /** The server's main class is started with the path of zoo.cfg; anything else than that is not one. */
    private static File configFile(String path, Properties into) {
        File file = new File(path);
        if (!file.isFile()) {
            return null;
        }
        try (InputStream in = Files.newInputStream(file.toPath())) {
            into.load(in);
        } catch (IOException | IllegalArgumentException e) {
            return null;
        }
        return into.containsKey("dataDir") ? file.getAbsoluteFile() : null;
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

    /** The path of zoo.cfg, or null. */
    byte[] file() {
        return file == null ? null : Engine.bytes(file.getPath());
    }
}
