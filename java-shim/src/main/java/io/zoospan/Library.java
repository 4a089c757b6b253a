package io.zoospan;

import java.io.File;
import java.io.IOException;
import java.net.URISyntaxException;
import java.security.CodeSource;
import java.util.ArrayList;
import java.util.List;

/**
 * Where libzoospan.so is: where zoospan.library says; else beside the jar; else where a package puts it, in
 * ../../lib/zoospan as seen from the jar (/usr/share/java and /usr/lib/zoospan). java.library.path is of no use here:
 * ZooKeeper's start scripts do not set it.
 */
final class Library {
    static final String NAME = "libzoospan.so";

    private Library() {
    }

    static File find(String option, File jar) {
        if (option != null) {
            File file = new File(option);
            if (!file.isFile()) {
                throw new StartException("zoospan.library: there is no file " + option + "; it must name " + NAME
                    + ", or be left out if that lies beside zoospan.jar", null);
            }
            return file.getAbsoluteFile();
        }
        List<File> places = places(jar);
        for (File place : places) {
            if (place.isFile()) {
                return place;
            }
        }
        throw new StartException(NAME + " was not found (looked for " + join(places) + "); put it there, or set"
            + " zoospan.library to its path", null);
    }

    private static List<File> places(File jar) {
        List<File> places = new ArrayList<>();
        if (jar != null) {
            File folder = jar.getParentFile();
            places.add(new File(folder, NAME));
            places.add(new File(folder, "../../lib/zoospan/" + NAME).toPath().normalize().toFile());
        }
        return places;
    }

    private static String join(List<File> places) {
        StringBuilder text = new StringBuilder();
        for (File place : places) {
            text.append(text.length() == 0 ? "" : ", ").append(place);
        }
        return text.length() == 0 ? "nothing, as the jar's own place is not known" : text.toString();
    }

    /** The jar (or folder) that this class was loaded from, links resolved; null if that is not known. */
    static File jar() {
        CodeSource source = Library.class.getProtectionDomain().getCodeSource();
        if (source == null || source.getLocation() == null) {
            return null;
        }
        try {
            return new File(source.getLocation().toURI()).getCanonicalFile();
        } catch (URISyntaxException | IOException | IllegalArgumentException e) {
            return null;
        }
    }
}
