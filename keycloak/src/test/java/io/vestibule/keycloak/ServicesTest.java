package io.vestibule.keycloak;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ServiceLoader;
import java.util.TreeSet;
import java.util.stream.Stream;

import org.junit.jupiter.api.Test;
import org.keycloak.authentication.AuthenticatorFactory;
import org.keycloak.authentication.FormActionFactory;
import org.keycloak.authentication.FormAuthenticatorFactory;
import org.keycloak.protocol.ProtocolMapper;
import org.keycloak.provider.ProviderFactory;
import org.keycloak.services.clientpolicy.executor.ClientPolicyExecutorProviderFactory;
import org.keycloak.services.resource.RealmResourceProviderFactory;

class ServicesTest {

    /** The realm file names them; Keycloak's column holds 36 characters. */
    @Test
    void theProvidersHaveTheirIds() {
        TreeSet<String> ids = new TreeSet<>();
        Stream.of(AuthenticatorFactory.class, FormActionFactory.class, FormAuthenticatorFactory.class, ClientPolicyExecutorProviderFactory.class, ProtocolMapper.class,
                        RealmResourceProviderFactory.class)
                .flatMap(spi -> ServiceLoader.load(spi).stream())
                // Keycloak's own are on the class path too, and some can't be made here.
                .filter(provider -> provider.type().getPackageName().equals(getClass().getPackageName()))
                .forEach(provider -> ids.add(((ProviderFactory<?>) provider.get()).getId()));
        assertEquals("[trial-expiration-authenticator, trial-expiration-executor, trial-password-action, trial-provider-creation, trial-registration-page, trial-token-authenticator, trial-token-form-action, vestibule-flow-succession, vestibule-reset-choose-user, vestibule-reset-credential-email, vestibule-trial-claims, vestibule-trials, vestibule-username-password-form]",
                ids.toString());
        ids.forEach(id -> assertTrue(id.length() <= 36, id));
    }
}
