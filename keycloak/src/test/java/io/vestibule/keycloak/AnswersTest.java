package io.vestibule.keycloak;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.Map;

import jakarta.ws.rs.core.MultivaluedHashMap;
import jakarta.ws.rs.core.MultivaluedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.keycloak.models.utils.FormMessage;
import org.keycloak.util.JsonSerialization;

class AnswersTest {

    private static final Question TEAM = new Question("attributes.team", null, null, "Team", Map.of("en", "Team", "fr", "Équipe", "pt-BR", "Time"), true, 5);
    private static final Question ROLE = new Question("attributes.role", null, null, "Role", Map.of(), false, 5);
    private static final Question TERMS = new Question("consents.terms", "2", "https://example.com/terms", "Terms", Map.of(), true, 0);
    private static final Question NEWS = new Question("consents.news", "1", null, "News", Map.of(), false, 0);
    private static final List<Question> ALL = List.of(TEAM, ROLE, TERMS, NEWS);

    private static MultivaluedMap<String, String> posted(String team, String role, List<String> terms) {
        MultivaluedMap<String, String> form = new MultivaluedHashMap<>();
        form.putSingle("attributes.team", team);
        form.putSingle("attributes.role", role);
        form.put("consents.terms", terms);
        form.putSingle("consents.news", "");
        form.putSingle("email", "ada@example.com");
        return form;
    }

    private static List<String> fieldsAtFault(MultivaluedMap<String, String> form) {
        return Answers.faults(form, ALL).stream().map(FormMessage::getField).toList();
    }

    @Test
    void whatIsBlankOrNotTickedIsNoAnswer() {
        assertEquals(new Answers(Map.of("team", "one"), Map.of("terms", "2")), Answers.in(posted(" one ", " ", List.of("", "2")), ALL));
    }

    @Test
    void nothingIsTakenThatIsNotAsked() {
        assertEquals(new Answers(Map.of(), Map.of("terms", "2")), Answers.in(posted("one", "x", List.of("", "2")), List.of(TERMS)));
    }

    @Test
    void whatIsRequiredIsDemandedAndNothingElse() {
        assertEquals(List.of(), fieldsAtFault(posted("one", "", List.of("", "2"))));
        assertEquals(List.of("attributes.team", "consents.terms"), fieldsAtFault(posted(" ", "", List.of(""))));
        assertEquals(List.of("attributes.team", "consents.terms"), fieldsAtFault(new MultivaluedHashMap<>()));
    }

    @Test
    void aTickAtAnotherVersionIsNone() {
        assertEquals(List.of("consents.terms"), fieldsAtFault(posted("one", "", List.of("", "1"))));
    }

    @Test
    void whatIsTooLongIsAtFaultWhetherRequiredOrNot() {
        assertEquals(List.of("attributes.team", "attributes.role"), fieldsAtFault(posted("123456", "123456", List.of("2"))));
    }

    @ParameterizedTest
    @CsvSource({"en, Team", "fr, Équipe", "fr-CA, Équipe", "pt-BR, Time", "de, Team"})
    void aLabelIsInTheLanguageOfThePage(String language, String label) {
        assertEquals(label, TEAM.labelIn(Locale.forLanguageTag(language)));
    }

    @Test
    void aStepKeepsQuestionsAsText() throws IOException {
        assertEquals(ALL, List.of(JsonSerialization.readValue(JsonSerialization.writeValueAsString(ALL), Question[].class)));
    }
}
