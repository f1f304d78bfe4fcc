package io.vestibule.keycloak;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.Set;

import org.junit.jupiter.api.Test;
import org.keycloak.provider.ServerInfoAwareProviderFactory;

class ReleaseTest {

    /** A text that Maven did not fill in would be one that no bridge knows. */
    @Test
    void theServerInfoTellsVersionAndContract() {
        ServerInfoAwareProviderFactory factory = new TrialTokenAuthenticatorFactory();
        Map<String, String> told = factory.getOperationalInfo();
        assertEquals(Set.of("version", "contract"), told.keySet());
        assertTrue(told.get("version").matches("\\d+\\.\\d+\\.\\d+"), told::toString);
        assertTrue(told.get("contract").matches("\\d+\\.\\d+"), told::toString);
    }
}
