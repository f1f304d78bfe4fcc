package io.vestibule.keycloak;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.keycloak.util.JsonSerialization;

/**
 * One product's value of the user attribute {@value TrialStamp#ATTRIBUTE} as text that can be written again: fields that
 * this release does not know stay in it. {@code made} and {@code roles} are the jar's own book-keeping, which no word of
 * the bridge changes: whether the account was made by this trial, and which roles it was given for it.
 */
record StampEntry(ObjectNode json) {

    private static final String VERSION = "version";
    private static final String MADE = "made";
    private static final String ROLES = "roles";
    private static final String CONVERTED = "converted";

    /** Empty for what can't be read. */
    static Optional<StampEntry> read(String value) {
        try {
            JsonNode node = JsonSerialization.mapper.readTree(value);
            if (node instanceof ObjectNode json && json.path("product").isTextual() && texts(json.path("clients")).isPresent()) {
                return Optional.of(new StampEntry(json));
            }
        } catch (IOException e) {
            // Said by whoever asked.
        }
        return Optional.empty();
    }

    String product() {
        return json.path("product").textValue();
    }

    List<String> clients() {
        return texts(json.path("clients")).orElseThrow();
    }

    /** The small app that only this trial has; empty where it can't be told. */
    Optional<String> trialApp() {
        return Optional.ofNullable(json.path("trial_app").textValue());
    }

    /** Of the life that it tells of; 0 in those of releases that did not count. */
    long version() {
        return json.path(VERSION).longValue();
    }

    /** False in those of releases that did not write it down: an account is kept when in doubt. */
    boolean made() {
        return json.path(MADE).booleanValue();
    }

    /** The roles that were given for this trial; empty where nobody wrote them down. */
    Optional<List<String>> roles() {
        return texts(json.path(ROLES));
    }

    /** Whether this role was given for this trial, or may have been. */
    boolean mayHaveGiven(String role) {
        return roles().map(names -> names.contains(role)).orElse(true);
    }

    /** An end that is enforced; none only where the trial became a full account. */
    boolean saysItsEnd() {
        return json.path("trial_access_until").isIntegralNumber()
                || json.path("trial_access_until").isNull() && CONVERTED.equals(json.path("state").textValue());
    }

    StampEntry with(long version, boolean made, List<String> roles) {
        ObjectNode written = json.deepCopy();
        written.put(VERSION, version);
        written.put(MADE, made);
        ArrayNode names = written.putArray(ROLES);
        roles.forEach(names::add);
        return new StampEntry(written);
    }

    TrialStamp stamp() {
        return new TrialStamp(product(), json.path("state").textValue(), seconds("trial_ends_at"), seconds("trial_access_until"),
                json.path("trial_app").textValue(), clients(), version());
    }

    String text() {
        return json.toString();
    }

    private Long seconds(String field) {
        return json.path(field).isIntegralNumber() ? json.path(field).longValue() : null;
    }

    static Optional<List<String>> texts(JsonNode node) {
        if (!node.isArray()) {
            return Optional.empty();
        }
        List<String> values = new ArrayList<>();
        for (JsonNode value : node) {
            if (!value.isTextual()) {
                return Optional.empty();
            }
            values.add(value.textValue());
        }
        return Optional.of(List.copyOf(values));
    }
}
