package io.zoospan;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.Properties;
import java.util.TreeMap;
import org.apache.zookeeper.server.quorum.QuorumPeerConfig;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** What is taken from the system properties that ZooKeeper makes of zoo.cfg. */
public class SettingsTest {
    @Rule
    public final TemporaryFolder folder = new TemporaryFolder();

    private final Properties system = new Properties();

    private TreeMap<String, String> pairs() {
        Settings settings = new Settings(system);
        TreeMap<String, String> pairs = new TreeMap<>();
        for (int i = 0; i < settings.keys().length; i++) {
            pairs.put(Engine.text(settings.keys()[i]), Engine.text(settings.values()[i]));
        }
        return pairs;
    }

    /** What ZooKeeper itself makes of a zoo.cfg with these bytes. */
    private Settings read(byte[] lines, boolean rewritten) throws Exception {
        File config = folder.newFile();
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.write(("dataDir=" + folder.getRoot() + "\nclientPort=2991\n").getBytes(StandardCharsets.UTF_8));
        bytes.write(lines);
        Files.write(config.toPath(), bytes.toByteArray());
        new QuorumPeerConfig().parse(config.getPath()); // sets system properties
        for (String name : System.getProperties().stringPropertyNames()) {
            if (name.startsWith("zookeeper.zoospan.")) {
                system.setProperty(name, System.getProperty(name));
                System.clearProperty(name);
            }
        }
        system.setProperty("sun.java.command", "org.apache.zookeeper.server.quorum.QuorumPeerMain " + config);
        return new Settings(system, rewritten);
    }

    private Settings read(String lines, boolean rewritten) throws Exception {
        return read(lines.getBytes(StandardCharsets.UTF_8), rewritten);
    }

    private static String value(Settings settings, String key) {
        for (int i = 0; i < settings.keys().length; i++) {
            if (key.equals(Engine.text(settings.keys()[i]))) {
                return Engine.text(settings.values()[i]) + (settings.fragile()[i] ? " (fragile)" : "");
            }
        }
        return null;
    }

    @Test
    public void aValueOfTheFileMeansWhatWasTyped() throws Exception {
        Settings settings = read("zoospan.exclude = /\u5185\u90e8,/caf\u00e9 \n"
            + "zoospan.include: /\\u5185,\\\n  /b\nzoospan.server_name=\ud83d\udc3b\n", false);
        assertEquals("/\u5185\u90e8,/caf\u00e9", value(settings, "zoospan.exclude"));
        assertEquals("/\u5185,/b", value(settings, "zoospan.include"));
        assertEquals("\ud83d\udc3b", value(settings, "zoospan.server_name"));
    }

    @Test
    public void whatMayBeWrittenAnewIsFragile() throws Exception {
        Settings settings = read("zoospan.exclude=/\u5185\u90e8\nzoospan.site=sh\n", true);
        assertEquals("/\u5185\u90e8 (fragile)", value(settings, "zoospan.exclude"));
        assertEquals("sh (fragile)", value(settings, "zoospan.site"));
    }

    @Test
    public void whatDidNotComeFromTheFileIsFragile() throws Exception {
        system.setProperty("zookeeper.zoospan.exclude", "/\u5185");
        Settings settings = read("zoospan.include=/a\n", false);
        assertEquals("/\u5185 (fragile)", value(settings, "zoospan.exclude"));
        assertEquals("/a", value(settings, "zoospan.include"));
    }

    @Test
    public void aFileThatIsNotUtf8IsReadAsZooKeeperDoesAndFragile() throws Exception {
        Settings settings = read("zoospan.exclude=/caf\u00e9\nzoospan.site=sh\n".getBytes(StandardCharsets.ISO_8859_1), false);
        assertEquals("/caf\u00e9 (fragile)", value(settings, "zoospan.exclude"));
        assertEquals("sh", value(settings, "zoospan.site"));
    }

    @Test
    public void onlyZooSpansKeysAreTaken() {
        system.setProperty("zookeeper.zoospan.site", "sh");
        system.setProperty("zookeeper.zoospan.link.bj.include", "/\u4e0a\u6d77");
        system.setProperty("zookeeper.zoospanish", "x");
        system.setProperty("zoospan.links", "x");
        TreeMap<String, String> pairs = pairs();
        assertEquals("sh", pairs.get("zoospan.site"));
        assertEquals("/\u4e0a\u6d77", pairs.get("zoospan.link.bj.include"));
        assertEquals(3, pairs.size()); // and server_name
    }

    @Test
    public void theServerIsNamedByHostAndClientPort() throws IOException {
        File config = folder.newFile("zoo.cfg");
        Files.write(config.toPath(), "dataDir=/tmp\nclientPort = 2991 \n".getBytes());
        system.setProperty("sun.java.command", "org.apache.zookeeper.server.quorum.QuorumPeerMain " + config);
        assertTrue(pairs().get("zoospan.server_name").endsWith(":2991"));
        assertEquals(config.getPath(), Engine.text(new Settings(system).file()));
        system.setProperty("zookeeper.zoospan.server_name", "mine");
        assertEquals("mine", pairs().get("zoospan.server_name"));
    }

    @Test
    public void withoutAConfigurationFileThereIsNone() throws IOException {
        File other = folder.newFile("other");
        system.setProperty("sun.java.command", "com.example.Main " + other);
        assertNull(new Settings(system).file());
        assertTrue(pairs().get("zoospan.server_name").contains(":pid "));
    }

    @Test
    public void theDestinationsAreThoseOfTheLinks() {
        assertEquals(0, new Settings(system).destinations().length);
        system.setProperty("zookeeper.zoospan.links", " bj ,gz,\tsz");
        assertArrayEquals(new String[] {"bj", "gz", "sz"}, new Settings(system).destinations());
    }

    @Test
    public void onlyDisableDisables() {
        assertFalse(new Settings(system).disableOnError());
        system.setProperty("zookeeper.zoospan.on_error", "Disabled");
        assertFalse(new Settings(system).disableOnError());
        system.setProperty("zookeeper.zoospan.on_error", "disable");
        assertTrue(new Settings(system).disableOnError());
    }
}
