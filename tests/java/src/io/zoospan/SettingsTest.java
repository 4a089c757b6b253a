package io.zoospan;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.util.Properties;
import java.util.TreeMap;
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
