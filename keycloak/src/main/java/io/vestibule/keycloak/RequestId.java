package io.vestibule.keycloak;

import java.util.UUID;
import java.util.regex.Pattern;

import org.keycloak.protocol.oidc.endpoints.AuthorizationEndpoint;
import org.keycloak.sessions.AuthenticationSessionModel;

/** The request id that goes through proxy, Keycloak and bridge. */
final class RequestId {

    static final String EVENT_DETAIL = "request_id";

    private static final String CLIENT_NOTE = AuthorizationEndpoint.LOGIN_SESSION_NOTE_ADDITIONAL_REQ_PARAMS_PREFIX + "request_id";
    private static final String OWN_NOTE = "vestibule.request_id";
    private static final Pattern WELL_FORMED = Pattern.compile("[A-Za-z0-9._-]{1,64}");

    private RequestId() {
    }

    /** The proxy's, when it is well-formed; else one made here and kept for the authentication session. */
    static String of(AuthenticationSessionModel authSession) {
        String given = authSession.getClientNote(CLIENT_NOTE);
        if (isWellFormed(given)) {
            return given;
        }
        String own = authSession.getAuthNote(OWN_NOTE);
        if (own == null) {
            own = UUID.randomUUID().toString();
            authSession.setAuthNote(OWN_NOTE, own);
        }
        return own;
    }

    /** Carries an id over a reset of the flow, which clears the notes. */
    static void keep(AuthenticationSessionModel authSession, String requestId) {
        authSession.setAuthNote(OWN_NOTE, requestId);
    }

    static boolean isWellFormed(String value) {
        return value != null && WELL_FORMED.matcher(value).matches();
    }
}
