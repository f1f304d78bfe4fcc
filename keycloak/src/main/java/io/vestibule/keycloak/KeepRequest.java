package io.vestibule.keycloak;

import java.util.Collections;
import java.util.List;

import com.fasterxml.jackson.databind.JsonNode;

/**
 * The body of a call to keep a stamp.
 *
 * @param product the product's id
 * @param entry   what the stamp says of it from now on
 * @param version of the life, 1 or more
 * @param grant   names of realm roles
 * @param revoke  names of realm roles
 */
record KeepRequest(String product, StampEntry entry, long version, List<String> grant, List<String> revoke) {

    /** @throws KeeperRefusal 400, naming the field */
    static KeepRequest from(JsonNode body) {
        String product = product(body);
        StampEntry entry = StampEntry.read(body.path("entry").asText(""))
                .filter(one -> one.product().equals(product))
                .orElseThrow(() -> KeeperRefusal.invalid("entry has to be the JSON text of a stamp of the same product."));
        if (!entry.saysItsEnd()) {
            throw KeeperRefusal.invalid("entry needs trial_access_until in epoch seconds; null is for the state converted only.");
        }
        long version = body.path("version").isIntegralNumber() ? body.path("version").longValue() : 0;
        if (version < 1) {
            throw KeeperRefusal.invalid("version has to be a whole number of 1 or more.");
        }
        List<String> grant = roles(body, "grant");
        List<String> revoke = roles(body, "revoke");
        if (!Collections.disjoint(grant, revoke)) {
            throw KeeperRefusal.invalid("roles has one name in both grant and revoke.");
        }
        return new KeepRequest(product, entry, version, grant, revoke);
    }

    /** @throws KeeperRefusal 400 without one */
    static String product(JsonNode body) {
        String product = body.path("product").textValue();
        if (product == null || product.isBlank()) {
            throw KeeperRefusal.invalid("product is missing: the id of a product, as text.");
        }
        return product;
    }

    /** @throws KeeperRefusal 400 without one */
    static String username(JsonNode body) {
        String username = body.path("username").textValue();
        if (username == null || username.isBlank()) {
            throw KeeperRefusal.invalid("username is missing: the address that the trial was offered to.");
        }
        return username;
    }

    private static List<String> roles(JsonNode body, String field) {
        return StampEntry.texts(body.path("roles").path(field)).orElseThrow(() -> KeeperRefusal.invalid("roles." + field + " has to be a list of role names."));
    }
}
