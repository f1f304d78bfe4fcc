package io.vestibule.keycloak;

import java.util.Locale;
import java.util.Map;

/**
 * What a product asks of people besides their address, as verify tells it: a line of text, or the consent to a text.
 *
 * @param field     {@code attributes.<id>} or {@code consents.<id>}: the bridge's name, and that of the form's field
 * @param version   of the text that is consented to; null for a line of text
 * @param url       where that text stands; may be null
 * @param label     in the product's own language
 * @param labels    by language tag; may be empty
 * @param maxLength of a line of text, in characters
 */
record Question(String field, String version, String url, String label, Map<String, String> labels, boolean required, int maxLength) {

    /** Keeps what a step learnt: a record's own getters only, so that it can be read again. */
    boolean asksConsent() {
        return version != null;
    }

    String id() {
        return field.substring(field.indexOf('.') + 1);
    }

    String labelIn(Locale locale) {
        String inLanguage = labels.getOrDefault(locale.getLanguage(), label);
        return labels.getOrDefault(locale.toLanguageTag(), inLanguage);
    }
}
