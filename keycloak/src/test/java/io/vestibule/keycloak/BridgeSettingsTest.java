package io.vestibule.keycloak;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Map;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class BridgeSettingsTest {

    @ParameterizedTest
    @CsvSource({
            "https://bridge.example.com, https://bridge.example.com",
            "https://bridge.example.com/, https://bridge.example.com",
            "https://example.com/bridge/, https://example.com/bridge",
            "http://localhost:8402, http://localhost:8402",
            "http://127.0.0.1:8402, http://127.0.0.1:8402",
            "http://[::1]:8402, http://[::1]:8402",
    })
    void accepts(String given, String used) throws Misconfigured {
        assertEquals(used, settings(given, Map.of()).bridgeUrl());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "${BRIDGE_INTERNAL_URL}", "bridge.example.com", "ftp://bridge.example.com", "http://bridge:8402", "http://10.0.0.7",
            "http://localhost.evil.example", "http://127.0.0.1.evil.example", "https://user:secret@bridge.example.com", "https://bridge.example.com?x=1", "https://", "not a url"})
    void refuses(String given) {
        assertThrows(Misconfigured.class, () -> settings(given, Map.of()));
    }

    @Test
    void developmentAllowsPlainHttp() throws Misconfigured {
        assertEquals("http://bridge:8402", settings("http://bridge:8402", Map.of("VESTIBULE_MODE", "development")).bridgeUrl());
        assertThrows(Misconfigured.class, () -> settings("http://bridge:8402", Map.of("VESTIBULE_MODE", "production")));
    }

    @Test
    void limitsHaveDefaults() throws Misconfigured {
        BridgeSettings settings = settings("https://b.example", Map.of());
        assertEquals(1_000, settings.connectTimeoutMillis());
        assertEquals(3_000, settings.totalTimeoutMillis());
    }

    @ParameterizedTest
    @ValueSource(strings = {"0", "-1", "1s", "${LIMIT}"})
    void limitsAreNumbersAboveZero(String limit) {
        assertThrows(Misconfigured.class, () -> BridgeSettings.from(
                Map.of(BridgeSettings.BRIDGE_URL, "https://b.example", BridgeSettings.TOTAL_TIMEOUT_MILLIS, limit), Map.of()));
    }

    private static BridgeSettings settings(String url, Map<String, String> environment) throws Misconfigured {
        return BridgeSettings.from(Map.of(BridgeSettings.BRIDGE_URL, url), environment);
    }
}
