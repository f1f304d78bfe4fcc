package io.vestibule.keycloak;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.NullSource;
import org.junit.jupiter.params.provider.ValueSource;

class RequestIdTest {

    @ParameterizedTest
    @ValueSource(strings = {"a", "golden-0001", "A.b_c-9", "0123456789012345678901234567890123456789012345678901234567890123"})
    void wellFormed(String value) {
        assertTrue(RequestId.isWellFormed(value));
    }

    @ParameterizedTest
    @NullSource
    @ValueSource(strings = {"", " ", "a b", "a\nb", "a\n", "é", "a/b", "01234567890123456789012345678901234567890123456789012345678901234"})
    void malformed(String value) {
        assertFalse(RequestId.isWellFormed(value));
    }
}
