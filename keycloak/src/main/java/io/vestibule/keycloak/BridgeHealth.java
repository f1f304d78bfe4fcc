package io.vestibule.keycloak;

import java.util.Map;
import java.util.UUID;

import org.keycloak.models.KeycloakSession;

/** What this node knows of the bridge of a realm. */
final class BridgeHealth {

    private static final String NOBODY = "health";

    private BridgeHealth() {
    }

    static Map<String, ?> words(String breaker) {
        return Map.of("bridge", Map.of("breaker", breaker));
    }

    /**
     * The breaker's state. Where a try is due, this makes it: whoever watches finds out that the bridge is back, and no
     * person waits for that.
     *
     * @throws KeeperRefusal 503 where the realm lacks the step that says where the bridge is
     */
    static String look(KeycloakSession session) {
        BridgeSettings settings;
        try {
            settings = BridgeSettings.from(Grantable.stepConfig(session.getContext().getRealm()), System.getenv());
        } catch (Misconfigured e) {
            throw KeeperRefusal.misconfigured("The step " + TrialTokenFormActionFactory.PROVIDER_ID + " is not configured: " + e.getMessage());
        }
        BridgeBreaker breaker = BridgeBreaker.of(session, settings.bridgeUrl());
        if (breaker.isTryDue()) {
            BridgeClient.of(session, settings, UUID.randomUUID().toString()).infos(NOBODY, NOBODY);
        }
        return breaker.state();
    }
}
