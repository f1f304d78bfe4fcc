package io.vestibule.keycloak;

import org.keycloak.jose.jws.JWSInput;
import org.keycloak.jose.jws.JWSInputException;
import org.keycloak.models.ClientSessionContext;
import org.keycloak.models.FederatedIdentityModel;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.RealmModel;
import org.keycloak.models.UserModel;
import org.keycloak.models.UserSessionModel;
import org.keycloak.protocol.oidc.TokenManager.AccessTokenResponseBuilder;
import org.keycloak.protocol.oidc.grants.ciba.clientpolicy.context.BackchannelTokenResponseContext;
import org.keycloak.protocol.oidc.grants.device.clientpolicy.context.DeviceTokenResponseContext;
import org.keycloak.representations.AccessToken;
import org.keycloak.representations.JsonWebToken;
import org.keycloak.services.clientpolicy.ClientPolicyContext;
import org.keycloak.services.clientpolicy.context.ImplicitHybridTokenResponse;
import org.keycloak.services.clientpolicy.context.JWTAuthorizationGrantContext;
import org.keycloak.services.clientpolicy.context.ResourceOwnerPasswordCredentialsResponseContext;
import org.keycloak.services.clientpolicy.context.TokenExchangeRequestContext;
import org.keycloak.services.clientpolicy.context.TokenRefreshResponseContext;
import org.keycloak.services.clientpolicy.context.TokenResponseContext;
import org.keycloak.services.clientpolicy.context.UserInfoRequestContext;

/**
 * Whose token a client policy event is about. Events are told by name: the enum's newer constants, and the classes of
 * the newer contexts, do not exist on the older Keycloaks that the same jar is to load on.
 */
final class TokenOwner {

    private TokenOwner() {
    }

    /** Null for events that give nobody a token. */
    static UserModel of(KeycloakSession session, ClientPolicyContext context) {
        return switch (context.getEvent().name()) {
            case "TOKEN_RESPONSE" -> ((TokenResponseContext) context).getParseResult().getClientSession().getUserSession().getUser();
            case "TOKEN_REFRESH_RESPONSE" -> of(session, ((TokenRefreshResponseContext) context).getAccessTokenResponseBuilder());
            case "RESOURCE_OWNER_PASSWORD_CREDENTIALS_RESPONSE" -> of(((ResourceOwnerPasswordCredentialsResponseContext) context).getClientSessionContext());
            case "IMPLICIT_HYBRID_TOKEN_RESPONSE" -> of(((ImplicitHybridTokenResponse) context).getClientSessionContext());
            case "DEVICE_TOKEN_RESPONSE" -> ((DeviceTokenResponseContext) context).getClientSession().getUserSession().getUser();
            case "BACKCHANNEL_TOKEN_RESPONSE" -> of(((BackchannelTokenResponseContext) context).getClientSessionContext());
            case "USERINFO_REQUEST" -> UserInfo.owner(session, context);
            case "TOKEN_EXCHANGE_REQUEST" -> TokenExchange.owner(session, context);
            case "JWT_AUTHORIZATION_GRANT" -> JwtGrant.owner(session, context);
            default -> null;
        };
    }

    private static UserModel of(ClientSessionContext context) {
        return context.getClientSession().getUserSession().getUser();
    }

    private static UserModel of(KeycloakSession session, AccessTokenResponseBuilder builder) {
        return of(session, builder.getAccessToken());
    }

    private static UserModel of(KeycloakSession session, AccessToken token) {
        RealmModel realm = session.getContext().getRealm();
        // A client without the scope "basic" has no subject in its access tokens; a transient session has no id in them.
        if (token.getSessionId() != null) {
            UserSessionModel online = session.sessions().getUserSession(realm, token.getSessionId());
            UserSessionModel live = online != null ? online : session.sessions().getOfflineUserSession(realm, token.getSessionId());
            if (live != null) {
                return live.getUser();
            }
        }
        return token.getSubject() == null ? null : session.users().getUserById(realm, token.getSubject());
    }

    // May be unverified yet. Whoever forges one is refused by the endpoint itself if not here.
    private static UserModel of(KeycloakSession session, String token) {
        try {
            return token == null ? null : of(session, new JWSInput(token).readJsonContent(AccessToken.class));
        } catch (JWSInputException e) {
            // An external issuer's opaque token: the mapper caps what is made from it.
            return null;
        }
    }

    // Newer Keycloaks have the client session in this context, older ones the token only.
    private static final class UserInfo {

        static UserModel owner(KeycloakSession session, ClientPolicyContext context) {
            return of(session, ((UserInfoRequestContext) context).getTokenForUserInfo().getToken());
        }
    }

    private static final class TokenExchange {

        static UserModel owner(KeycloakSession session, ClientPolicyContext context) {
            return of(session, ((TokenExchangeRequestContext) context).getTokenExchangeContext().getParams().getSubjectToken());
        }
    }

    private static final class JwtGrant {

        static UserModel owner(KeycloakSession session, ClientPolicyContext context) {
            JWTAuthorizationGrantContext grant = (JWTAuthorizationGrantContext) context;
            JsonWebToken assertion = grant.getAuthorizationGrantContext().getJWT();
            return session.users().getUserByFederatedIdentity(session.getContext().getRealm(),
                    new FederatedIdentityModel(grant.getIdentityProviderAlias(), assertion.getSubject(), null));
        }
    }
}
