package io.vestibule.keycloak;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

import com.fasterxml.jackson.databind.JsonNode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.keycloak.util.JsonSerialization;

class BrokeredPersonTest {

    /** SECURITY.md 6: of two sources one "no" is enough, and what is said of another address says nothing. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '"', nullValues = "-", value = {
        "false | - | - | false",
        "true  | - | - | true",
        "false | {'email':'ada@example.com','email_verified':true} | - | true",
        "false | {'email':'Ada@Example.com','email_verified':'true'} | - | true",
        "true  | {'email':'ada@example.com','email_verified':false} | - | false",
        "true  | {'email':'ada@example.com','email_verified':'false'} | - | false",
        "true  | {'email':'ada@example.com','email_verified':'yes'} | - | false",
        "true  | {'email':'ada@example.com','email_verified':null} | - | true",
        "false | {'email':'ada@example.com'} | - | false",
        "false | {'email':'eve@example.com','email_verified':true} | - | false",
        "false | {'email_verified':true} | - | false",
        "true  | {'email':'ada@example.com','email_verified':true} | {'email':'ada@example.com','email_verified':false} | false",
        "false | {'sub':'1'} | {'email':'ada@example.com','email_verified':true} | true",
    })
    void whoVouches(boolean trusted, String idToken, String userInfo, boolean verified) throws IOException {
        List<JsonNode> claims = new ArrayList<>();
        for (String one : new String[] {idToken, userInfo}) {
            if (one != null) {
                claims.add(JsonSerialization.mapper.readTree(one.replace('\'', '"')));
            }
        }
        assertEquals(verified, BrokeredPerson.isVerified("ada@example.com", trusted, claims));
    }
}
