package io.vestibule.keycloak;

import org.keycloak.common.util.Time;
import org.keycloak.crypto.Algorithm;
import org.keycloak.crypto.SignatureProvider;
import org.keycloak.jose.jws.JWSBuilder;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.utils.KeycloakModelUtils;
import org.keycloak.representations.AccessToken;
import org.keycloak.services.Urls;
import org.keycloak.urls.UrlType;
import org.keycloak.util.TokenUtil;

/**
 * The proof that a call to the bridge comes from this realm's own steps: a token signed by the realm's key.
 * The bridge checks signature, issuer, audience, {@code azp}, role and age (docs/architecture.md, "Who may call the bridge").
 */
final class ServiceToken {

    static final String AUDIENCE = "vestibule-bridge";
    static final String ISSUED_FOR = "vestibule-keycloak";
    static final String ROLE = "trial-callback";
    static final int LIFETIME_SECONDS = 30;

    private ServiceToken() {
    }

    /** Not {@code session.tokens().encode}: that takes the algorithm of the person's client. */
    static String sign(KeycloakSession session) {
        AccessToken token = new AccessToken();
        token.id(KeycloakModelUtils.generateId());
        token.type(TokenUtil.TOKEN_TYPE_BEARER);
        token.issuer(Urls.realmIssuer(session.getContext().getUri(UrlType.FRONTEND).getBaseUri(), session.getContext().getRealm().getName()));
        token.audience(AUDIENCE);
        token.issuedFor(ISSUED_FOR);
        token.issuedNow();
        token.exp(Time.currentTimeMillis() / 1_000 + LIFETIME_SECONDS);
        token.addAccess(AUDIENCE).addRole(ROLE);
        return new JWSBuilder().type("JWT").jsonContent(token)
                .sign(session.getProvider(SignatureProvider.class, Algorithm.RS256).signer());
    }
}
