package io.vestibule.keycloak;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

import org.keycloak.models.AuthenticatorConfigModel;
import org.keycloak.provider.ProviderConfigProperty;

/** An execution's configuration, and the properties that several steps share. */
final class StepConfig {

    static final String NEW_LINK_URL = "newLinkUrl";
    static final String CONTACT_URL = "contactUrl";
    static final String TIME_ZONE = "timeZone";
    static final String GROUP = "group";

    private StepConfig() {
    }

    /** Never null. */
    static Map<String, String> of(AuthenticatorConfigModel model) {
        return model == null || model.getConfig() == null ? Map.of() : model.getConfig();
    }

    /** A page's address, or null when it is unset (Keycloak keeps {@code ${VARIABLE}} literally then). */
    static String url(Map<String, String> config, String key) {
        String value = config.get(key);
        return value == null || value.isBlank() || value.startsWith("${") ? null : value.strip();
    }

    static List<ProviderConfigProperty> withBridge(ProviderConfigProperty... others) {
        List<ProviderConfigProperty> properties = new ArrayList<>();
        properties.add(text(BridgeSettings.BRIDGE_URL, "Bridge address",
                "Origin of the bridge, as Keycloak reaches it. https, except for localhost.", null));
        properties.add(text(BridgeSettings.CONNECT_TIMEOUT_MILLIS, "Connect limit (ms)",
                "Longest wait for the connection to the bridge.", String.valueOf(BridgeSettings.DEFAULT_CONNECT_TIMEOUT_MILLIS)));
        properties.add(text(BridgeSettings.TOTAL_TIMEOUT_MILLIS, "Total limit (ms)",
                "Longest wait for the bridge's whole answer.", String.valueOf(BridgeSettings.DEFAULT_TOTAL_TIMEOUT_MILLIS)));
        properties.addAll(List.of(others));
        return List.copyOf(properties);
    }

    static ProviderConfigProperty text(String name, String label, String help, String fallback) {
        return new ProviderConfigProperty(name, label, help, ProviderConfigProperty.STRING_TYPE, fallback);
    }

    static ProviderConfigProperty texts(String name, String label, String help) {
        return new ProviderConfigProperty(name, label, help, ProviderConfigProperty.MULTIVALUED_STRING_TYPE, null);
    }
}
