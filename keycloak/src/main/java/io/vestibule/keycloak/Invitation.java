package io.vestibule.keycloak;

import java.util.Optional;

import org.keycloak.protocol.oidc.endpoints.AuthorizationEndpoint;
import org.keycloak.sessions.AuthenticationSessionModel;

/**
 * What TrialTokenAuthenticator learnt and the form needs, kept server-side in the authentication session.
 *
 * @param token     the invitation
 * @param username  the invited address in its canonical form
 * @param firstName may be null
 * @param lastName  may be null
 */
record Invitation(String token, String username, String firstName, String lastName) {

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
    }

    /** Empty for ordinary registration, and when no TrialTokenAuthenticator stands before the form. */
    static Optional<Invitation> of(AuthenticationSessionModel authSession) {
        String username = authSession.getAuthNote(PREFIX + "username");
        return username == null ? Optional.empty() : Optional.of(new Invitation(authSession.getAuthNote(PREFIX + "token"), username,
                authSession.getAuthNote(PREFIX + "first_name"), authSession.getAuthNote(PREFIX + "last_name")));
    }

    static void allowOrdinary(AuthenticationSessionModel authSession) {
        authSession.setAuthNote(ORDINARY, "true");
    }

    static boolean isOrdinaryAllowed(AuthenticationSessionModel authSession) {
        return "true".equals(authSession.getAuthNote(ORDINARY));
    }

    private static void set(AuthenticationSessionModel authSession, String name, String value) {
        if (value == null) {
            authSession.removeAuthNote(PREFIX + name);
        } else {
            authSession.setAuthNote(PREFIX + name, value);
        }
    }
}
