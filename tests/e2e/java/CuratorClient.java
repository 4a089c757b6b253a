// A client that is not ours: Apache Curator on both sites at once. Writes at the first, watches the second with a
// cache, and checks that the two agree. Arguments: connection strings of the two sites. Prints OK at the end.
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.nodes.PersistentTtlNode;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.retry.RetryOneTime;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.data.Stat;

public final class CuratorClient {
    private static CuratorFramework connect(String hosts) {
        CuratorFramework client = CuratorFrameworkFactory.newClient(hosts, 10_000, 10_000, new RetryOneTime(100));
        client.start();
        return client;
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static void eventually(String what, Callable<Boolean> condition) throws Exception {
        long deadline = System.nanoTime() + 20_000_000_000L;
        while (!condition.call()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError(what + ": not within 20 s");
            }
            Thread.sleep(20);
        }
        System.out.println("seen: " + what);
    }

    private static Map<String, String> content(CuratorCache cache) {
        Map<String, String> found = new TreeMap<>();
        cache.stream().forEach(node -> found.put(node.getPath(), new String(node.getData(), StandardCharsets.UTF_8)));
        return found;
    }

    private static void registry(CuratorFramework here, CuratorFramework there) throws Exception {
        try (CuratorCache written = CuratorCache.build(here, "/curator");
                CuratorCache seen = CuratorCache.build(there, "/curator")) {
            written.start();
            seen.start();
            for (int n = 0; n < 50; n++) {
                here.create().creatingParentContainersIfNeeded().forPath("/curator/services/s" + n % 5 + "/i" + n,
                        bytes("10.0.0." + n));
            }
            here.transaction().forOperations(List.of(
                    here.transactionOp().create().forPath("/curator/config", bytes("v1")),
                    here.transactionOp().setData().forPath("/curator/config", bytes("v2")),
                    here.transactionOp().delete().forPath("/curator/services/s0/i0"),
                    here.transactionOp().check().withVersion(1).forPath("/curator/config")));
            here.delete().deletingChildrenIfNeeded().forPath("/curator/services/s4");
            eventually("50 instances, less those that were deleted", () -> content(seen).equals(content(written))
                    && content(seen).containsKey("/curator/services/s3/i48") && !content(seen).containsKey(
                            "/curator/services/s4") && "v2".equals(content(seen).get("/curator/config")));
        }
    }

    private static void kinds(CuratorFramework here, CuratorFramework there) throws Exception {
        here.create().withTtl(6000).withMode(CreateMode.PERSISTENT_WITH_TTL).forPath("/curator-ttl", bytes("t"));
        eventually("a node with a TTL", () -> there.checkExists().forPath("/curator-ttl") != null);
        eventually("its end", () -> there.checkExists().forPath("/curator-ttl") == null);
        String path = here.create().withProtection().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath("/curator-e-");
        eventually("a protected ephemeral", () -> there.checkExists().forPath(path) != null);
        try (PersistentTtlNode node = new PersistentTtlNode(here, "/curator-group", 60_000, bytes("g"))) {
            node.start();
            eventually("a container that is kept alive", () -> there.checkExists().forPath("/curator-group") != null);
        }
        try (SharedCount count = new SharedCount(here, "/curator-count", 0)) {
            count.start();
            for (int n = 1; n <= 20; n++) {
                count.setCount(n);
            }
            eventually("a counter", () -> java.util.Arrays.equals(new byte[] {0, 0, 0, 20},
                    read(there, "/curator-count")));
        }
    }

    private static byte[] read(CuratorFramework client, String path) throws Exception {
        try {
            return client.getData().storingStatIn(new Stat()).forPath(path);
        } catch (KeeperException.NoNodeException absent) {
            return new byte[0];
        }
    }

    public static void main(String[] hosts) throws Exception {
        try (CuratorFramework here = connect(hosts[0]); CuratorFramework there = connect(hosts[1])) {
            registry(here, there);
            kinds(here, there);
        }
        System.out.println("OK");
    }
}
