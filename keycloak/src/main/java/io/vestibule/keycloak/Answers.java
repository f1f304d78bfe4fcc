package io.vestibule.keycloak;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import jakarta.ws.rs.core.MultivaluedMap;
import org.keycloak.models.utils.FormMessage;

/**
 * What somebody answered on the form to what the product asks.
 *
 * @param attributes lines of text by id; none that is blank
 * @param consents   versions by id
 */
record Answers(Map<String, String> attributes, Map<String, String> consents) {

    static final Answers NONE = new Answers(Map.of(), Map.of());

    static Answers in(MultivaluedMap<String, String> formData, List<Question> questions) {
        Map<String, String> attributes = new LinkedHashMap<>();
        Map<String, String> consents = new LinkedHashMap<>();
        for (Question question : questions) {
            if (question.asksConsent() && isGiven(formData, question)) {
                consents.put(question.id(), question.version());
            } else if (!question.asksConsent() && isGiven(formData, question)) {
                attributes.put(question.id(), formData.getFirst(question.field()).strip());
            }
        }
        return new Answers(attributes, consents);
    }

    /** Empty when every answer that is required is there, and none is too long. */
    static List<FormMessage> faults(MultivaluedMap<String, String> formData, List<Question> questions) {
        List<FormMessage> faults = new ArrayList<>();
        for (Question question : questions) {
            if (question.required() && !isGiven(formData, question)) {
                faults.add(new FormMessage(question.field(), question.asksConsent() ? "trialConsentMissing" : "trialAnswerMissing"));
            } else if (!question.asksConsent() && isGiven(formData, question) && formData.getFirst(question.field()).strip().length() > question.maxLength()) {
                faults.add(new FormMessage(question.field(), "trialAnswerTooLong", String.valueOf(question.maxLength())));
            }
        }
        return List.copyOf(faults);
    }

    // A box that is ticked posts its version, behind the empty value that the theme's form posts in any case.
    private static boolean isGiven(MultivaluedMap<String, String> formData, Question question) {
        List<String> posted = formData.getOrDefault(question.field(), List.of());
        return question.asksConsent() ? posted.contains(question.version()) : !posted.isEmpty() && posted.get(0) != null && !posted.get(0).isBlank();
    }
}
