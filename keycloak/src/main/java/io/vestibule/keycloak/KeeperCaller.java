package io.vestibule.keycloak;

import java.util.List;

import jakarta.ws.rs.NotAuthorizedException;
import jakarta.ws.rs.core.HttpHeaders;
import org.keycloak.models.ClientModel;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.RealmModel;
import org.keycloak.models.RoleModel;
import org.keycloak.models.UserModel;
import org.keycloak.representations.AccessToken;
import org.keycloak.services.managers.AppAuthManager;
import org.keycloak.util.TokenUtil;

/**
 * The proof that the bridge calls {@link TrialsResource}: an access token of its own service account for this very
 * audience, with a role that is in the token and still held. Keycloak's own check of bearer tokens comes first: signature,
 * issuer, times, type, revocation, account and client enabled.
 */
final class KeeperCaller {

    static final String CLIENT_ID = ServiceToken.AUDIENCE;
    static final String AUDIENCE = TrialsResourceFactory.PROVIDER_ID;
    static final String ROLE = "keep-trials";

    private KeeperCaller() {
    }

    /** @throws KeeperRefusal 401 or 403 for everybody else */
    static void demand(KeycloakSession session) {
        AccessToken token = verified(session);
        RealmModel realm = session.getContext().getRealm();
        ClientModel bridge = realm.getClientByClientId(CLIENT_ID);
        ClientModel keeper = realm.getClientByClientId(AUDIENCE);
        UserModel account = bridge == null ? null : session.users().getServiceAccount(bridge);
        RoleModel role = keeper == null ? null : keeper.getRole(ROLE);
        boolean allowed = account != null && role != null
                && CLIENT_ID.equals(token.getIssuedFor())
                && account.getId().equals(token.getSubject())
                // People have sessions.
                && token.getSessionId() == null
                && token.hasAudience(AUDIENCE)
                && token.getResourceAccess(AUDIENCE) != null && token.getResourceAccess(AUDIENCE).isUserInRole(ROLE)
                && account.hasRole(role);
        if (!allowed) {
            throw KeeperRefusal.forbidden();
        }
    }

    private static AccessToken verified(KeycloakSession session) {
        List<String> headers = session.getContext().getHttpRequest().getHttpHeaders().getRequestHeader(HttpHeaders.AUTHORIZATION);
        if (headers == null || headers.size() != 1 || !headers.get(0).regionMatches(true, 0, "Bearer ", 0, 7)) {
            throw KeeperRefusal.unauthorized();
        }
        String text = headers.get(0).substring(7).strip();
        try {
            if (new AppAuthManager.BearerTokenAuthenticator(session).setTokenString(text).authenticate() == null) {
                throw KeeperRefusal.unauthorized();
            }
        } catch (NotAuthorizedException e) {
            throw KeeperRefusal.unauthorized();
        }
        // Read again, for what was verified is told by another class in each release.
        AccessToken token = session.tokens().decode(text, AccessToken.class);
        if (token == null || !TokenUtil.TOKEN_TYPE_BEARER.equals(token.getType()) || token.getExp() == null) {
            throw KeeperRefusal.unauthorized();
        }
        return token;
    }
}
