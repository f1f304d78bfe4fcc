package io.vestibule.keycloak;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

import org.jboss.logging.Logger;
import org.keycloak.models.UserModel;

/**
 * One product's entry of the user attribute {@value #ATTRIBUTE} (docs/architecture.md, "The stamp"): what Keycloak
 * knows of a trial without asking anybody.
 *
 * @param product          the product's id
 * @param state            the bridge's word, for people who read it; nothing is decided by it
 * @param trialEndsAt      what people are told, epoch seconds, may be null
 * @param trialAccessUntil the only end that is enforced, epoch seconds; null: no end
 * @param trialApp         id of the small app, may be null
 * @param clients          ids of the clients that the end applies to
 * @param version          of the life that it tells of, 0 in those of older releases
 */
record TrialStamp(String product, String state, Long trialEndsAt, Long trialAccessUntil, String trialApp, List<String> clients, long version) {

    static final String ATTRIBUTE = "trial_stamp";

    private static final Logger LOG = Logger.getLogger(TrialStamp.class);

    /** True for everybody whom the bridge manages; everybody else costs no call. */
    static boolean isOn(UserModel user) {
        return user.getAttributeStream(ATTRIBUTE).findAny().isPresent();
    }

    /**
     * The entry whose clients hold {@code clientId}, of several products the one that lasts longest, as the bridge judges
     * it too; empty when no trial of this person concerns that client.
     */
    static Optional<TrialStamp> of(UserModel user, String clientId) {
        return lastingLongest(entries(user.getAttributeStream(ATTRIBUTE).toList()), clientId);
    }

    static Optional<TrialStamp> lastingLongest(List<TrialStamp> entries, String clientId) {
        return entries.stream()
                .filter(stamp -> stamp.clients.contains(clientId))
                .max(Comparator.comparingLong(stamp -> stamp.trialAccessUntil == null ? Long.MAX_VALUE : stamp.trialAccessUntil));
    }

    /** Values that can't be read are logged and skipped. */
    static List<TrialStamp> entries(List<String> values) {
        List<TrialStamp> entries = new ArrayList<>();
        for (String value : values) {
            read(value).map(StampEntry::stamp).ifPresent(entries::add);
        }
        return entries;
    }

    /** The values to store when {@code added} joins what the user holds: one value per product, the newer one wins. */
    static List<String> merge(List<String> held, List<String> added) {
        Map<String, String> byProduct = new LinkedHashMap<>();
        for (List<String> values : List.of(held, added)) {
            for (String value : values) {
                byProduct.put(read(value).map(StampEntry::product).orElse(value), value);
            }
        }
        return List.copyOf(byProduct.values());
    }

    /** From {@code trial_access_until} on, to the second. */
    boolean isOver(long nowSeconds) {
        return trialAccessUntil != null && nowSeconds >= trialAccessUntil;
    }

    private static Optional<StampEntry> read(String value) {
        Optional<StampEntry> entry = StampEntry.read(value);
        if (entry.isEmpty()) {
            LOG.errorf("A value of the user attribute %s can't be read and is ignored: %s", ATTRIBUTE, value);
        }
        return entry;
    }
}
