package io.vestibule.keycloak;

import java.net.URI;
import java.net.URISyntaxException;
import java.util.Map;
import java.util.Set;

/**
 * Where the bridge is and how long Keycloak waits for it.
 *
 * @param bridgeUrl            origin of the bridge, without a trailing slash
 * @param connectTimeoutMillis longest wait for the connection, in milliseconds
 * @param totalTimeoutMillis   longest wait for the whole answer, in milliseconds; the call is cut then
 */
record BridgeSettings(String bridgeUrl, int connectTimeoutMillis, int totalTimeoutMillis) {

    static final String BRIDGE_URL = "bridgeUrl";
    static final String CONNECT_TIMEOUT_MILLIS = "connectTimeoutMillis";
    static final String TOTAL_TIMEOUT_MILLIS = "totalTimeoutMillis";

    static final int DEFAULT_CONNECT_TIMEOUT_MILLIS = 1_000;
    static final int DEFAULT_TOTAL_TIMEOUT_MILLIS = 3_000;

    private static final Set<String> LOOPBACK_HOSTS = Set.of("localhost", "127.0.0.1", "[::1]");

    /**
     * Reads an execution's configuration.
     *
     * @param config      the execution's configuration
     * @param environment environment variables; {@code VESTIBULE_MODE=development} allows plain http to any host
     * @throws Misconfigured naming the key and what to do
     */
    static BridgeSettings from(Map<String, String> config, Map<String, String> environment) throws Misconfigured {
        return new BridgeSettings(
                url(config.get(BRIDGE_URL), "development".equals(environment.get("VESTIBULE_MODE"))),
                millis(config, CONNECT_TIMEOUT_MILLIS, DEFAULT_CONNECT_TIMEOUT_MILLIS),
                millis(config, TOTAL_TIMEOUT_MILLIS, DEFAULT_TOTAL_TIMEOUT_MILLIS));
    }

    private static String url(String value, boolean development) throws Misconfigured {
        // Keycloak stores ${VARIABLE} literally when the variable is unset at import.
        if (value == null || value.isBlank() || value.startsWith("${")) {
            throw new Misconfigured(BRIDGE_URL + " is not set: enter the bridge's address in the execution's configuration");
        }
        URI uri;
        try {
            uri = new URI(value.strip());
        } catch (URISyntaxException e) {
            throw new Misconfigured(BRIDGE_URL + " is not an address: " + value);
        }
        if (uri.getHost() == null || uri.getRawUserInfo() != null || uri.getRawQuery() != null || uri.getRawFragment() != null) {
            throw new Misconfigured(BRIDGE_URL + " must look like https://bridge.example.com, without user, query or fragment");
        }
        boolean plain = "http".equalsIgnoreCase(uri.getScheme());
        if (!plain && !"https".equalsIgnoreCase(uri.getScheme())) {
            throw new Misconfigured(BRIDGE_URL + " must start with https://");
        }
        if (plain && !development && !LOOPBACK_HOSTS.contains(uri.getHost())) {
            throw new Misconfigured(BRIDGE_URL + " must be https: service tokens and invitations travel over it (" + value
                    + "); plain http works for localhost, or with VESTIBULE_MODE=development");
        }
        return uri.toString().replaceAll("/+$", "");
    }

    private static int millis(Map<String, String> config, String key, int fallback) throws Misconfigured {
        String value = config.get(key);
        if (value == null || value.isBlank()) {
            return fallback;
        }
        try {
            int millis = Integer.parseInt(value.strip());
            if (millis > 0) {
                return millis;
            }
        } catch (NumberFormatException e) {
            // Answered below, with the key's name.
        }
        throw new Misconfigured(key + " must be a number of milliseconds above 0, not " + value);
    }
}
