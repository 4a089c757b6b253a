package io.zoospan;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Collections;
import java.util.Map;
import org.apache.zookeeper.server.admin.Command;
import org.apache.zookeeper.server.admin.CommandResponse;
import org.apache.zookeeper.server.admin.Commands;

/**
 * AdminServer's /commands/zoospan. The interface Command has other methods in each line of ZooKeeper versions (run;
 * runGet, runPost, getAuthRequest from 3.9), so it is answered by name.
 */
final class AdminCommand implements InvocationHandler {
    private static final String NAME = "zoospan";

    private final Watch watch;

    private AdminCommand(Watch watch) {
        this.watch = watch;
    }

    /** A server without what AdminServer needs on its classpath runs without this command. */
    static void register(Watch watch) {
        try {
            Commands.registerCommand((Command) Proxy.newProxyInstance(AdminCommand.class.getClassLoader(),
                new Class<?>[] {Command.class}, new AdminCommand(watch)));
        } catch (Throwable t) {
            Log.write(Log.INFO, "AdminServer will not know the command " + NAME + ": " + t);
        }
    }

    @Override
    public Object invoke(Object proxy, Method method, Object[] args) {
        switch (method.getName()) {
            case "getNames":
                return Collections.singleton(NAME);
            case "getPrimaryName":
                return NAME;
            case "getDoc":
                return "What ZooSpan captures on this server, and how far each link is";
            case "isServerRequired":
                return false;
            case "run":
            case "runGet":
            case "runPost":
                return answer();
            case "hashCode":
                return System.identityHashCode(proxy);
            case "equals":
                return proxy == args[0];
            case "toString":
                return NAME;
            default:
                return null; // getAuthRequest: nobody has to log in to see this
        }
    }

    private CommandResponse answer() {
        CommandResponse response = new CommandResponse(NAME);
        response.putAll(watch.status());
        String json = watch.nativeStatus();
        if (json != null) {
            putJson(response, json);
        }
        return response;
    }

    /** As a structure if Jackson is there, as it is wherever AdminServer is; else as text. */
    @SuppressWarnings("unchecked")
    private static void putJson(CommandResponse response, String json) {
        try {
            Class<?> mapper = Class.forName("com.fasterxml.jackson.databind.ObjectMapper");
            Object map = mapper.getMethod("readValue", String.class, Class.class)
                .invoke(mapper.getDeclaredConstructor().newInstance(), json, Map.class);
            response.putAll((Map<String, Object>) map);
        } catch (ReflectiveOperationException | LinkageError e) {
            response.put("status", json);
        }
    }
}
