package io.vestibule.keycloak;

import java.io.IOException;
import java.util.List;
import java.util.Optional;

import org.keycloak.protocol.oidc.endpoints.AuthorizationEndpoint;
import org.keycloak.sessions.AuthenticationSessionModel;
import org.keycloak.util.JsonSerialization;

/**
 * What TrialTokenAuthenticator learnt and the form needs, kept server-side in the authentication session.
 *
 * @param token     the invitation
 * @param username  the invited address in its canonical form
 * @param firstName may be null
 * @param lastName  may be null
 * @param questions what the form is to ask besides
 */
record Invitation(String token, String username, String firstName, String lastName, List<Question> questions) {

    private static final String TOKEN_PARAMETER = AuthorizationEndpoint.LOGIN_SESSION_NOTE_ADDITIONAL_REQ_PARAMS_PREFIX + "invitation_token";
    private static final String PREFIX = "vestibule.invitation.";
    private static final String ORDINARY = "vestibule.ordinary_registration";

    /** The token that the authorization request carried, or null. */
    static String tokenOf(AuthenticationSessionModel authSession) {
        String token = authSession.getClientNote(TOKEN_PARAMETER);
        return token == null || token.isBlank() ? null : token;
    }

    /** Forgets the token, so that nothing later in this authentication session takes it for an invitation. */
    static void forgetToken(AuthenticationSessionModel authSession) {
        authSession.removeClientNote(TOKEN_PARAMETER);
    }

    void keep(AuthenticationSessionModel authSession) {
        authSession.removeAuthNote(ORDINARY);
        authSession.setAuthNote(PREFIX + "token", token);
        authSession.setAuthNote(PREFIX + "username", username);
        set(authSession, "first_name", firstName);
        set(authSession, "last_name", lastName);
        set(authSession, "questions", questions.isEmpty() ? null : written(questions));
    }

    /** Empty for ordinary registration, and when no TrialTokenAuthenticator stands before the form. */
    static Optional<Invitation> of(AuthenticationSessionModel authSession) {
        String username = authSession.getAuthNote(PREFIX + "username");
        return username == null ? Optional.empty() : Optional.of(new Invitation(authSession.getAuthNote(PREFIX + "token"), username,
                authSession.getAuthNote(PREFIX + "first_name"), authSession.getAuthNote(PREFIX + "last_name"),
                read(authSession.getAuthNote(PREFIX + "questions"))));
    }

    static void allowOrdinary(AuthenticationSessionModel authSession) {
        authSession.setAuthNote(ORDINARY, "true");
    }

    static boolean isOrdinaryAllowed(AuthenticationSessionModel authSession) {
        return "true".equals(authSession.getAuthNote(ORDINARY));
    }

    private static String written(List<Question> questions) {
        try {
            return JsonSerialization.writeValueAsString(questions);
        } catch (IOException e) {
            throw new IllegalStateException("A record of texts is always JSON", e);
        }
    }

    private static List<Question> read(String questions) {
        try {
            return questions == null ? List.of() : List.of(JsonSerialization.readValue(questions, Question[].class));
        } catch (IOException e) {
            throw new IllegalStateException("The authentication session holds questions that this jar did not write", e);
        }
    }

    private static void set(AuthenticationSessionModel authSession, String name, String value) {
        if (value == null) {
            authSession.removeAuthNote(PREFIX + name);
        } else {
            authSession.setAuthNote(PREFIX + name, value);
        }
    }
}
