package io.vestibule.keycloak;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Optional;

import org.junit.jupiter.api.Test;

class StampEntryTest {

    private static final String OF_AN_OLDER_RELEASE = "{\"product\":\"app\",\"state\":\"active\",\"trial_ends_at\":1,\"trial_access_until\":2,\"trial_app\":\"a\",\"clients\":[\"c\"]}";

    @Test
    void oneOfAnOlderReleaseIsVersion0AndItsAccountIsKept() {
        StampEntry old = read(OF_AN_OLDER_RELEASE);
        assertEquals(0, old.version());
        assertFalse(old.made());
        assertEquals(Optional.empty(), old.roles());
        assertTrue(old.mayHaveGiven("trial-user"));
    }

    @Test
    void whatThisReleaseDoesNotKnowStaysInIt() {
        StampEntry later = read(OF_AN_OLDER_RELEASE.replace("{\"product\"", "{\"plan\":{\"seats\":3},\"product\""));
        StampEntry written = read(later.with(7, true, List.of("trial-user")).text());
        assertEquals(3, written.json().path("plan").path("seats").intValue());
        assertEquals(7, written.version());
        assertTrue(written.made());
        assertEquals(Optional.of(List.of("trial-user")), written.roles());
        assertFalse(written.mayHaveGiven("staff"));
        assertEquals(new TrialStamp("app", "active", 1L, 2L, "a", List.of("c"), 7), written.stamp());
    }

    @Test
    void onlyAConvertedTrialHasNoEnd() {
        assertTrue(read(OF_AN_OLDER_RELEASE).saysItsEnd());
        String endless = OF_AN_OLDER_RELEASE.replace("\"trial_access_until\":2", "\"trial_access_until\":null");
        assertFalse(read(endless).saysItsEnd());
        assertFalse(read(OF_AN_OLDER_RELEASE.replace("\"trial_access_until\":2,", "")).saysItsEnd());
        assertTrue(read(endless.replace("active", "converted")).saysItsEnd());
        assertFalse(read(OF_AN_OLDER_RELEASE.replace("active", "converted").replace("\"trial_access_until\":2,", "")).saysItsEnd());
    }

    private static StampEntry read(String value) {
        return StampEntry.read(value).orElseThrow();
    }
}
