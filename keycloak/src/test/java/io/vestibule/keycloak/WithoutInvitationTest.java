package io.vestibule.keycloak;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Map;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class WithoutInvitationTest {

    @ParameterizedTest
    @CsvSource(nullValues = "-", value = {
            // default, exceptions,                  client, allowed
            "-,        -,                            shop,   false",
            "deny,     -,                            shop,   false",
            "allow,    -,                            shop,   true",
            "deny,     shop=allow,                   shop,   true",
            "deny,     shop=allow,                   other,  false",
            "allow,    trial=deny,                   trial,  false",
            "allow,    trial=deny,                   shop,   true",
            "deny,     a=allow##shop=allow##b=deny,  shop,   true",
            "deny,     a=allow##shop=allow##b=deny,  b,      false",
            "deny,     https://x/?a=b=allow,         https://x/?a=b, true",
            "deny,     '## shop = allow ##',         shop,   true",
    })
    void decides(String byDefault, String exceptions, String client, boolean allowed) throws Misconfigured {
        assertEquals(allowed, policy(byDefault, exceptions).allows(client));
    }

    @ParameterizedTest
    @CsvSource(nullValues = "-", value = {"yes, -", "deny, shop", "deny, shop=yes", "deny, =allow", "${X}, -"})
    void anyOtherWordIsAMistake(String byDefault, String exceptions) {
        assertThrows(Misconfigured.class, () -> policy(byDefault, exceptions));
    }

    @Test
    void nothingConfiguredDenies() throws Misconfigured {
        assertFalse(WithoutInvitation.from(Map.of()).allows("any"));
    }

    private static WithoutInvitation policy(String byDefault, String exceptions) throws Misconfigured {
        Map<String, String> config = new java.util.HashMap<>();
        config.put(WithoutInvitation.DEFAULT, byDefault);
        config.put(WithoutInvitation.EXCEPTIONS, exceptions);
        return WithoutInvitation.from(config);
    }
}
