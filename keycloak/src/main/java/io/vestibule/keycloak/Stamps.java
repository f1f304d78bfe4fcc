package io.vestibule.keycloak;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

import org.keycloak.models.UserModel;

/** All values of one person's attribute {@value TrialStamp#ATTRIBUTE}; what can't be read stays as it is. */
final class Stamps {

    private final UserModel user;
    private final List<String> values;

    private Stamps(UserModel user) {
        this.user = user;
        this.values = user.getAttributeStream(TrialStamp.ATTRIBUTE).toList();
    }

    static Stamps of(UserModel user) {
        return new Stamps(user);
    }

    /** @throws KeeperRefusal 409 where the person has none of this product */
    StampEntry managed(String product) {
        return find(product).orElseThrow(() -> KeeperRefusal.notManaged(product));
    }

    Optional<StampEntry> find(String product) {
        return values.stream().flatMap(value -> StampEntry.read(value).stream()).filter(entry -> entry.product().equals(product)).findFirst();
    }

    List<StampEntry> others(String product) {
        return values.stream().flatMap(value -> StampEntry.read(value).stream()).filter(entry -> !entry.product().equals(product)).toList();
    }

    /** Values of no product that can be told. */
    boolean hasUnreadable() {
        return values.stream().anyMatch(value -> StampEntry.read(value).isEmpty());
    }

    /** In the place of that product's value, or beside the others, which stay to the byte. */
    void put(StampEntry entry) {
        Stream<String> added = find(entry.product()).isPresent() ? Stream.empty() : Stream.of(entry.text());
        user.setAttribute(TrialStamp.ATTRIBUTE, Stream.concat(values.stream().map(value -> isOf(value, entry.product()) ? entry.text() : value), added).distinct().toList());
    }

    void remove(String product) {
        List<String> left = new ArrayList<>(values);
        left.removeIf(value -> isOf(value, product));
        if (left.isEmpty()) {
            user.removeAttribute(TrialStamp.ATTRIBUTE);
        } else {
            user.setAttribute(TrialStamp.ATTRIBUTE, left);
        }
    }

    private static boolean isOf(String value, String product) {
        return StampEntry.read(value).filter(entry -> entry.product().equals(product)).isPresent();
    }
}
