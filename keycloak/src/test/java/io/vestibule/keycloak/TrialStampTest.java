package io.vestibule.keycloak;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.keycloak.representations.AccessToken;

class TrialStampTest {

    private static final String GOLDEN = Contract.of("creation-reserved").answer().path("attributes").path("trial_stamp").path(0).textValue();
    private static final long UNTIL = 1_796_731_200L;

    @Test
    void readsTheGoldenStamp() {
        assertEquals(new TrialStamp("app", "active", 1_796_472_000L, UNTIL, "c0ffee00-1111-4222-8333-444455556666", List.of("vestibule-proxy"), 0), golden());
    }

    @Test
    void isOverToTheSecond() {
        assertFalse(golden().isOver(UNTIL - 1));
        assertTrue(golden().isOver(UNTIL));
    }

    @Test
    void withoutAnEndItIsNeverOver() {
        assertFalse(TrialStamp.entries(List.of("{\"product\":\"app\",\"state\":\"converted\",\"trial_access_until\":null,\"clients\":[\"c\"]}")).get(0).isOver(Long.MAX_VALUE));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "x", "[]", "{}", "{\"product\":\"app\"}", "{\"clients\":[]}"})
    void whatCannotBeReadIsSkipped(String value) {
        assertEquals(1, TrialStamp.entries(List.of(value, GOLDEN)).size());
    }

    @Test
    void mergingKeepsOneValuePerProduct() {
        String other = GOLDEN.replace("\"app\",\"state\"", "\"reports\",\"state\"");
        String newer = GOLDEN.replace("active", "extended");
        assertEquals(List.of(newer, other), TrialStamp.merge(List.of(GOLDEN, other), List.of(newer)));
        assertEquals(List.of(other, GOLDEN), TrialStamp.merge(List.of(other), List.of(GOLDEN)));
    }

    @Test
    void claimsAreNumbersAndTheApp() {
        AccessToken token = new AccessToken();
        TrialClaimsMapper.addClaims(token, golden());
        assertEquals(1_796_472_000L, token.getOtherClaims().get("trial_ends_at"));
        assertEquals(UNTIL, token.getOtherClaims().get("trial_access_until"));
        assertEquals("c0ffee00-1111-4222-8333-444455556666", token.getOtherClaims().get("trial_app"));
    }

    @Test
    void noAccessTokenOutlivesTheTrial() {
        AccessToken longer = new AccessToken();
        longer.exp(UNTIL + 1);
        TrialClaimsMapper.cap(longer, golden());
        assertEquals(UNTIL, longer.getExp());

        AccessToken endless = new AccessToken();
        assertNull(endless.getExp());
        TrialClaimsMapper.cap(endless, golden());
        assertEquals(UNTIL, endless.getExp());
    }

    @Test
    void anAccessTokenThatEndsEarlierStays() {
        AccessToken shorter = new AccessToken();
        shorter.exp(UNTIL - 1);
        TrialClaimsMapper.cap(shorter, golden());
        assertEquals(UNTIL - 1, shorter.getExp());
    }

    @Test
    void ofTwoProductsOfOneClientTheLongerTrialCounts() {
        String longer = GOLDEN.replace("\"app\",\"state\"", "\"reports\",\"state\"").replace(String.valueOf(UNTIL), String.valueOf(UNTIL + 5));
        List<TrialStamp> both = TrialStamp.entries(List.of(GOLDEN, longer));
        assertEquals("reports", TrialStamp.lastingLongest(both, "vestibule-proxy").orElseThrow().product());
        assertTrue(TrialStamp.lastingLongest(both, "another-client").isEmpty());
    }

    private static TrialStamp golden() {
        return TrialStamp.entries(List.of(GOLDEN)).get(0);
    }
}
