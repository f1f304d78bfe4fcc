package io.vestibule.keycloak;

import java.util.Optional;

import org.keycloak.authentication.AuthenticationFlowContext;
import org.keycloak.cookie.CookieType;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.RealmModel;
import org.keycloak.models.UserModel;
import org.keycloak.models.UserSessionModel;
import org.keycloak.services.managers.AuthenticationManager;
import org.keycloak.sessions.AuthenticationSessionModel;

/**
 * Who is signed in in this browser.
 *
 * @param proven true: by the identity cookie; false: only by the authentication session's id, which is the session's
 *               too and outlives the identity cookie (Keycloak expires that one at every step of a registration)
 */
record SignedIn(UserModel user, UserSessionModel session, boolean proven) {

    static Optional<SignedIn> find(AuthenticationFlowContext context) {
        RealmModel realm = context.getRealm();
        AuthenticationManager.AuthResult cookie = AuthenticationManager.authenticateIdentityCookie(context.getSession(), realm, true);
        if (cookie != null) {
            return Optional.of(byCookie(cookie));
        }
        // Without its cookie the authentication session was made in this request: no session can have its id yet.
        boolean older = context.getHttpRequest().getHttpHeaders().getCookies().containsKey(CookieType.AUTH_SESSION_ID.getName());
        return older ? bySession(context.getSession(), realm, context.getAuthenticationSession()) : Optional.empty();
    }

    /** The live session which a sign-in at the end of this authentication session would collide with. */
    static Optional<SignedIn> bySession(KeycloakSession session, RealmModel realm, AuthenticationSessionModel authSession) {
        UserSessionModel live = session.sessions().getUserSession(realm, authSession.getParentSession().getId());
        if (live == null || live.getUser() == null || !AuthenticationManager.isSessionValid(realm, live)) {
            return Optional.empty();
        }
        return Optional.of(new SignedIn(live.getUser(), live, false));
    }

    /** The owner of this proven address, and not merely of an account that carries its name. */
    boolean owns(String address) {
        return user.isEmailVerified() && address.equals(user.getEmail());
    }

    /** Registration expires the identity cookie before any of our steps runs; asking a question must not sign out. */
    void keepSignedIn(AuthenticationFlowContext context) {
        if (proven) {
            AuthenticationManager.createLoginCookie(context.getSession(), context.getRealm(), user, session, context.getUriInfo(), context.getConnection());
        }
    }

    /** Ends the session with everything that hangs on it. {@code removeUserSession} alone would let its tokens live. */
    void signOut(AuthenticationFlowContext context) {
        AuthenticationManager.backchannelLogout(context.getSession(), session, true);
    }

    // user() and session() came after 26.0; these accessors are in every version the jar is to load on.
    @SuppressWarnings("removal")
    private static SignedIn byCookie(AuthenticationManager.AuthResult cookie) {
        return new SignedIn(cookie.getUser(), cookie.getSession(), true);
    }
}
