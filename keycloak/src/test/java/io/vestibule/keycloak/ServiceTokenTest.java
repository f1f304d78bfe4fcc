package io.vestibule.keycloak;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import org.junit.jupiter.api.Test;
import org.keycloak.crypto.SignatureSignerContext;
import org.keycloak.jose.jws.JWSInput;
import org.keycloak.representations.AccessToken;

class ServiceTokenTest {

    private static final String ISSUER = "https://keycloak.test/realms/one";
    private static final long NOW = 1_795_262_400;

    @Test
    void allStepsOfASecondCarryTheSameToken() {
        assertEquals(ServiceToken.sign(ISSUER, key("first"), NOW), ServiceToken.sign(ISSUER, key("first"), NOW));
    }

    @Test
    void theNextSecondAnotherKeyAndAnotherRealmHaveTokensOfTheirOwn() {
        String token = ServiceToken.sign(ISSUER, key("first"), NOW);
        assertNotEquals(token, ServiceToken.sign(ISSUER, key("first"), NOW + 1));
        assertNotEquals(ServiceToken.sign(ISSUER, key("first"), NOW), ServiceToken.sign(ISSUER, key("second"), NOW));
        assertNotEquals(token, ServiceToken.sign("https://keycloak.test/realms/two", key("first"), NOW));
    }

    @Test
    void aTokenLivesThirtySecondsFromItsSecond() throws Exception {
        AccessToken token = new JWSInput(ServiceToken.sign(ISSUER, key("third"), NOW)).readJsonContent(AccessToken.class);
        assertEquals(NOW, token.getIat());
        assertEquals(NOW + 30, token.getExp());
        assertEquals(ISSUER, token.getIssuer());
    }

    static SignatureSignerContext key(String id) {
        return new SignatureSignerContext() {
            @Override
            public String getKid() {
                return id;
            }

            @Override
            public String getAlgorithm() {
                return "RS256";
            }

            @Override
            public String getHashAlgorithm() {
                return "SHA-256";
            }

            @Override
            public byte[] sign(byte[] data) {
                return data;
            }
        };
    }
}
