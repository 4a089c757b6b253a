package io.zoospan;

import static org.junit.Assert.assertEquals;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.Test;

/** What is told of a znode: each change, and nothing twice. */
public class WatchedTest {
    private final Map<String, byte[]> tree = new HashMap<>();
    private final List<String> told = new ArrayList<>();
    private final Watched watched = new Watched("/a", data -> told.add(data == null ? null : new String(data)));

    private void look(String data) {
        tree.put("/a", data == null ? null : data.getBytes());
        watched.look(tree::get);
    }

    @Test
    public void eachChangeIsTold() {
        for (String data : new String[] {null, "1", "1", "", "", null, null, "1"}) {
            look(data);
        }
        assertEquals(Arrays.asList("1", "", null, "1"), told);
    }

    @Test
    public void whatCouldNotBeToldIsToldAgain() {
        boolean[] fails = {true};
        Watched fussy = new Watched("/a", data -> {
            if (fails[0]) {
                throw new IllegalStateException("on purpose");
            }
            told.add(new String(data));
        });
        tree.put("/a", "1".getBytes());
        try {
            fussy.look(tree::get);
        } catch (IllegalStateException e) {
            fails[0] = false;
        }
        fussy.look(tree::get);
        assertEquals(Arrays.asList("1"), told);
    }
}
