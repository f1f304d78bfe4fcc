package io.vestibule.keycloak;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

import org.keycloak.common.util.Time;
import org.keycloak.crypto.Algorithm;
import org.keycloak.crypto.SignatureProvider;
import org.keycloak.crypto.SignatureSignerContext;
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
record ServiceToken(String issuer, SignatureSignerContext signer) {

    static final String AUDIENCE = "vestibule-bridge";
    static final String ISSUED_FOR = "vestibule-keycloak";
    static final String ROLE = "trial-callback";
    static final int LIFETIME_SECONDS = 30;

    // By issuer. Signing with RSA costs more than all else of a call; one token says the same for every step of a second.
    private static final Map<String, Signed> LATEST = new ConcurrentHashMap<>();

    /** Of this session's realm; needs the session no more. */
    static ServiceToken of(KeycloakSession session) {
        String issuer = Urls.realmIssuer(session.getContext().getUri(UrlType.FRONTEND).getBaseUri(), session.getContext().getRealm().getName());
        return new ServiceToken(issuer, session.getProvider(SignatureProvider.class, Algorithm.RS256).signer());
    }

    /** The same for all steps of a realm within one second. Not {@code session.tokens().encode}: that takes the algorithm of the person's client. */
    String text() {
        return sign(issuer, signer, Time.currentTimeMillis() / 1_000);
    }

    /** @param nowSeconds Keycloak's clock, epoch seconds */
    static String sign(String issuer, SignatureSignerContext signer, long nowSeconds) {
        // compute: of many steps that come with a new second, one signs and the others wait for it.
        return LATEST.compute(issuer, (same, latest) -> latest != null && latest.second == nowSeconds && latest.keyId.equals(signer.getKid())
                ? latest
                : new Signed(signer.getKid(), nowSeconds, signNow(issuer, signer, nowSeconds))).text;
    }

    private static String signNow(String issuer, SignatureSignerContext signer, long nowSeconds) {
        AccessToken token = new AccessToken();
        token.id(KeycloakModelUtils.generateId());
        token.type(TokenUtil.TOKEN_TYPE_BEARER);
        token.issuer(issuer);
        token.audience(AUDIENCE);
        token.issuedFor(ISSUED_FOR);
        token.iat(nowSeconds);
        token.exp(nowSeconds + LIFETIME_SECONDS);
        token.addAccess(AUDIENCE).addRole(ROLE);
        return new JWSBuilder().type("JWT").jsonContent(token).sign(signer);
    }

    private record Signed(String keyId, long second, String text) {
    }
}
