package io.vestibule.keycloak;

import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.FormatStyle;
import java.time.format.TextStyle;
import java.util.Locale;

/**
 * The judgement on one person at one client.
 *
 * @param over      true: refused
 * @param endedAt   what people are told, epoch seconds; null when it isn't known
 * @param judgedBy  {@code bridge} or {@code stamp}
 */
record TrialEnd(boolean over, Long endedAt, String judgedBy) {

    static final String BY_BRIDGE = "bridge";
    static final String BY_STAMP = "stamp";

    /**
     * The bridge decides while it answers and knows the trial; else the stamp, with Keycloak's own clock.
     *
     * @param nowSeconds Keycloak's clock, epoch seconds
     */
    static TrialEnd judge(TrialStamp stamp, Infos infos, long nowSeconds) {
        if (infos instanceof Infos.Known known && (known.expired() || known.trial())) {
            return new TrialEnd(known.expired(), first(known.trialEndsAt(), known.trialAccessUntil(), stamp.trialEndsAt()), BY_BRIDGE);
        }
        return new TrialEnd(stamp.isOver(nowSeconds), first(stamp.trialEndsAt(), stamp.trialAccessUntil()), BY_STAMP);
    }

    /** Date and time in the person's language, with the name of the time zone; null when the end isn't known. */
    String inWords(Locale locale, ZoneId zone) {
        if (endedAt == null) {
            return null;
        }
        return DateTimeFormatter.ofLocalizedDateTime(FormatStyle.LONG, FormatStyle.SHORT).withLocale(locale)
                .format(Instant.ofEpochSecond(endedAt).atZone(zone)) + " (" + name(zone, locale) + ")";
    }

    private static String name(ZoneId zone, Locale locale) {
        ZoneId plain = zone.normalized();
        return plain.equals(ZoneOffset.UTC) ? "UTC" : zone.getDisplayName(TextStyle.FULL, locale);
    }

    private static Long first(Long... values) {
        for (Long value : values) {
            if (value != null) {
                return value;
            }
        }
        return null;
    }
}
