package io.vestibule.keycloak;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

import org.keycloak.models.ClientSessionContext;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.ProtocolMapperModel;
import org.keycloak.models.UserSessionModel;
import org.keycloak.protocol.oidc.mappers.AbstractOIDCProtocolMapper;
import org.keycloak.protocol.oidc.mappers.OIDCAccessTokenMapper;
import org.keycloak.protocol.oidc.mappers.OIDCAttributeMapperHelper;
import org.keycloak.protocol.oidc.mappers.OIDCIDTokenMapper;
import org.keycloak.protocol.oidc.mappers.TokenIntrospectionTokenMapper;
import org.keycloak.protocol.oidc.mappers.UserInfoTokenMapper;
import org.keycloak.provider.ProviderConfigProperty;
import org.keycloak.representations.AccessToken;
import org.keycloak.representations.IDToken;

/**
 * Tells a product's clients about the person's trial: {@value #ENDS_AT} and {@value #ACCESS_UNTIL} (numbers, epoch
 * seconds) and {@value #APP}; and no access token lives past {@value #ACCESS_UNTIL}.
 *
 * <h2>Placement</h2>
 * A mapper of each client that a product names, directly or in a scope of theirs: an access token of a client without
 * it lives its whole lifespan past the end of the trial.
 */
public final class TrialClaimsMapper extends AbstractOIDCProtocolMapper
        implements OIDCAccessTokenMapper, OIDCIDTokenMapper, UserInfoTokenMapper, TokenIntrospectionTokenMapper {

    public static final String PROVIDER_ID = "vestibule-trial-claims";

    static final String ENDS_AT = "trial_ends_at";
    static final String ACCESS_UNTIL = "trial_access_until";
    static final String APP = "trial_app";

    private static final List<ProviderConfigProperty> PROPERTIES = properties();

    @Override
    public AccessToken transformAccessToken(AccessToken token, ProtocolMapperModel model, KeycloakSession session,
            UserSessionModel userSession, ClientSessionContext clientSession) {
        AccessToken mapped = super.transformAccessToken(token, model, session, userSession, clientSession);
        // Not a matter of configuration: also where the claims are left out.
        stamp(userSession, clientSession).ifPresent(stamp -> cap(mapped, stamp));
        return mapped;
    }

    @Override
    protected void setClaim(IDToken token, ProtocolMapperModel model, UserSessionModel userSession, KeycloakSession session, ClientSessionContext clientSession) {
        stamp(userSession, clientSession).ifPresent(stamp -> addClaims(token, stamp));
    }

    static void addClaims(IDToken token, TrialStamp stamp) {
        put(token, ENDS_AT, stamp.trialEndsAt());
        put(token, ACCESS_UNTIL, stamp.trialAccessUntil());
        put(token, APP, stamp.trialApp());
    }

    static void cap(AccessToken token, TrialStamp stamp) {
        Long until = stamp.trialAccessUntil();
        if (until != null && (token.getExp() == null || token.getExp() > until)) {
            token.exp(until);
        }
    }

    private static void put(IDToken token, String claim, Object value) {
        if (value != null) {
            token.setOtherClaims(claim, value);
        }
    }

    private static Optional<TrialStamp> stamp(UserSessionModel userSession, ClientSessionContext clientSession) {
        return TrialStamp.of(userSession.getUser(), clientSession.getClientSession().getClient().getClientId());
    }

    @Override
    public String getId() {
        return PROVIDER_ID;
    }

    @Override
    public String getDisplayCategory() {
        return TOKEN_MAPPER_CATEGORY;
    }

    @Override
    public String getDisplayType() {
        return "Trial";
    }

    @Override
    public String getHelpText() {
        return "The person's trial at this client: when it ends, and which app it opens. Also ends access tokens with the trial.";
    }

    @Override
    public List<ProviderConfigProperty> getConfigProperties() {
        return PROPERTIES;
    }

    private static List<ProviderConfigProperty> properties() {
        List<ProviderConfigProperty> properties = new ArrayList<>();
        OIDCAttributeMapperHelper.addIncludeInTokensConfig(properties, TrialClaimsMapper.class);
        return List.copyOf(properties);
    }
}
