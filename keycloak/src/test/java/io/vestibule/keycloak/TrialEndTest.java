package io.vestibule.keycloak;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Locale;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TrialEndTest {

    private static final long NOW = 1_795_262_400L;

    @ParameterizedTest
    @CsvSource({
            // answer,     stamp over, over,  judged by
            "expired,      false,      true,  bridge",
            "expired,      true,       true,  bridge",
            "active,       false,      false, bridge",
            "active,       true,       false, bridge",
            "none,         false,      false, stamp",
            "none,         true,       true,  stamp",
            "no answer,    false,      false, stamp",
            "no answer,    true,       true,  stamp",
    })
    void judges(String answer, boolean stampOver, boolean over, String judgedBy) {
        Infos infos = switch (answer) {
            case "expired" -> new Infos.Known(true, true, NOW - 10, NOW - 5);
            case "active" -> new Infos.Known(true, false, NOW + 10, NOW + 20);
            case "none" -> new Infos.Known(false, false, null, null);
            default -> new Infos.NoAnswer("timeout");
        };
        TrialEnd end = TrialEnd.judge(stamp(stampOver ? NOW : NOW + 1), infos, NOW);
        assertEquals(over, end.over());
        assertEquals(judgedBy, end.judgedBy());
    }

    @Test
    void tellsTheEndPeopleWereTold() {
        assertEquals(NOW - 10, TrialEnd.judge(stamp(NOW), new Infos.Known(true, true, NOW - 10, NOW), NOW).endedAt());
        assertEquals(NOW - 100, TrialEnd.judge(stamp(NOW), new Infos.NoAnswer("x"), NOW).endedAt());
    }

    @Test
    void speaksThePersonsLanguageAndNamesTheZone() {
        TrialEnd end = new TrialEnd(true, NOW, TrialEnd.BY_STAMP);
        // CLDR puts a narrow no-break space before PM on newer JDKs.
        assertEquals("November 21, 2026 at 12:00 PM (UTC)", plain(end.inWords(Locale.ENGLISH, ZoneOffset.UTC)).replace("2026, 12", "2026 at 12"));
        assertEquals("21 novembre 2026 13:00 (heure d’Europe centrale)",
                plain(end.inWords(Locale.FRENCH, ZoneId.of("Europe/Paris"))).replace(" à ", " "));
    }

    @Test
    void anUnknownEndIsNotTold() {
        assertNull(new TrialEnd(true, null, TrialEnd.BY_BRIDGE).inWords(Locale.ENGLISH, ZoneOffset.UTC));
    }

    private static String plain(String text) {
        return text.replace('\u202f', ' ').replace('\u00a0', ' ');
    }

    private static TrialStamp stamp(long until) {
        return new TrialStamp("app", "active", until - 100, until, "a", List.of("c"), 0);
    }
}
