package io.vestibule.keycloak;

import java.util.Map;

import org.keycloak.Config;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.KeycloakSessionFactory;
import org.keycloak.provider.ServerInfoAwareProviderFactory;
import org.keycloak.services.resource.RealmResourceProvider;
import org.keycloak.services.resource.RealmResourceProviderFactory;

/** Serves {@link TrialsResource} at {@code /realms/{realm}/vestibule-trials}. */
public final class TrialsResourceFactory implements RealmResourceProviderFactory, ServerInfoAwareProviderFactory {

    public static final String PROVIDER_ID = "vestibule-trials";

    @Override
    public RealmResourceProvider create(KeycloakSession session) {
        return new RealmResourceProvider() {

            @Override
            public Object getResource() {
                return new TrialsResource(session);
            }

            @Override
            public void close() {
                // Holds nothing.
            }
        };
    }

    @Override
    public String getId() {
        return PROVIDER_ID;
    }

    @Override
    public Map<String, String> getOperationalInfo() {
        return Release.information();
    }

    @Override
    public void init(Config.Scope config) {
        // Configured at the steps.
    }

    @Override
    public void postInit(KeycloakSessionFactory factory) {
        BreakerMetric.register();
    }

    @Override
    public void close() {
        // Holds nothing.
    }
}
