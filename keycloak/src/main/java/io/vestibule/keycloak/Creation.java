package io.vestibule.keycloak;

import java.util.List;
import java.util.Map;

/** What the bridge says to a creation ({@code POST /api/trial/creation}). */
sealed interface Creation {

    /**
     * The call's body.
     *
     * @param token     the invitation
     * @param username  the invited address
     * @param userId    Keycloak's id of the user, inserted and not yet committed
     * @param attemptId fresh for every submit of the form
     * @param firstName may be null
     * @param lastName  may be null
     * @param locale    language tag, may be null
     * @param answers   to what the form asked
     */
    record Request(String token, String username, String userId, String attemptId, String firstName, String lastName, String locale, Answers answers) {
    }

    /**
     * Reserved; Keycloak stamps these on the user.
     *
     * @param attributes user attributes by name
     * @param roles      names of realm roles
     */
    record Granted(Map<String, List<String>> attributes, List<String> roles) implements Creation {
    }

    /** @param code {@code invitation_expired}, {@code username_mismatch}, …: the problem's code, 409 or 410 */
    record Refused(String code) implements Creation {
    }

    /** @param field {@code attributes.<id>} or {@code consents.<id>}: what the product asks is missing, or not so */
    record Unanswered(String field) implements Creation {
    }

    /** @param cause for the log, never for the person */
    record NoAnswer(String cause) implements Creation {
    }
}
