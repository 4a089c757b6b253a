package io.zoospan;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.io.File;
import java.io.IOException;
import org.junit.Before;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Where libzoospan.so is looked for, and what is said when it is not the right one. */
public class LibraryTest {
    @Rule
    public final TemporaryFolder folder = new TemporaryFolder();

    private File jar;

    @Before
    public void install() throws IOException {
        folder.newFolder("usr", "lib", "zoospan");
        jar = new File(folder.newFolder("usr", "share", "java"), "zoospan.jar");
    }

    private File put(String path) throws IOException {
        File file = new File(folder.getRoot(), path);
        assertTrue(file.createNewFile());
        return file;
    }

    @Test
    public void theOptionWins() throws IOException {
        put("usr/share/java/libzoospan.so");
        File chosen = put("usr/mine.so");
        assertEquals(chosen, Library.find(chosen.getPath(), jar));
    }

    @Test
    public void thenBesideTheJarThenWhereAPackagePutsIt() throws IOException {
        File packaged = put("usr/lib/zoospan/libzoospan.so");
        assertEquals(packaged, Library.find(null, jar));
        File beside = put("usr/share/java/libzoospan.so");
        assertEquals(beside, Library.find(null, jar));
    }

    @Test
    public void whatIsMissingIsSaidWithAllPlaces() {
        String said = assertThrows(StartException.class, () -> Library.find(null, jar)).getMessage();
        assertTrue(said, said.contains("share/java/libzoospan.so") && said.contains("lib/zoospan/libzoospan.so")
            && said.contains("zoospan.library"));
        said = assertThrows(StartException.class, () -> Library.find("/nowhere/x.so", jar)).getMessage();
        assertTrue(said, said.contains("/nowhere/x.so"));
    }

    @Test
    public void whatIsNoLibraryIsRefused() throws IOException {
        File empty = put("usr/lib/zoospan/libzoospan.so");
        String said = assertThrows(StartException.class, () -> Native.load(empty)).getMessage();
        assertTrue(said, said.contains(empty.getPath()) && said.contains("cannot be loaded"));
    }
}
