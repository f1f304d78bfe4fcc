package io.vestibule.keycloak;

import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

import com.fasterxml.jackson.databind.JsonNode;
import org.keycloak.authentication.AuthenticationFlowContext;
import org.keycloak.authentication.authenticators.broker.AbstractIdpAuthenticator;
import org.keycloak.authentication.authenticators.broker.util.SerializedBrokeredIdentityContext;
import org.keycloak.broker.oidc.OIDCIdentityProvider;
import org.keycloak.broker.oidc.mappers.AbstractJsonUserAttributeMapper;
import org.keycloak.broker.provider.AbstractIdentityProvider;
import org.keycloak.broker.provider.BrokeredIdentityContext;
import org.keycloak.models.IdentityProviderModel;
import org.keycloak.models.utils.KeycloakModelUtils;
import org.keycloak.sessions.AuthenticationSessionModel;
import org.keycloak.util.JsonSerialization;

/**
 * Who came back from an identity provider, as that one says.
 *
 * @param alias    of the provider
 * @param provider its name, for people
 * @param email    as the provider writes it; null when it says none, or none of a sane length
 * @param verified whether somebody vouches for that address: the provider itself, or an administrator who trusts it
 */
record BrokeredPerson(String alias, String provider, String email, boolean verified) {

    /** What the bridge compares at most. */
    private static final int LONGEST_EMAIL = 1_024;
    private static final String EMAIL = "email";
    private static final String EMAIL_VERIFIED = "email_verified";

    /** Empty outside a first login through an identity provider. */
    static Optional<BrokeredPerson> of(AuthenticationFlowContext context) {
        AuthenticationSessionModel authSession = context.getAuthenticationSession();
        SerializedBrokeredIdentityContext written = SerializedBrokeredIdentityContext.readFromAuthenticationSession(authSession, AbstractIdpAuthenticator.BROKERED_CONTEXT_NOTE);
        if (written == null) {
            return Optional.empty();
        }
        BrokeredIdentityContext brokered = written.deserialize(context.getSession(), authSession);
        IdentityProviderModel provider = brokered.getIdpConfig();
        String email = brokered.getEmail();
        boolean told = email != null && !email.isBlank() && email.length() <= LONGEST_EMAIL;
        boolean changed = Boolean.parseBoolean(authSession.getAuthNote(AbstractIdentityProvider.UPDATE_PROFILE_EMAIL_CHANGED));
        return Optional.of(new BrokeredPerson(provider.getAlias(), KeycloakModelUtils.getIdentityProviderDisplayName(context.getSession(), provider),
                told ? email : null, told && !changed && isVerified(email, isTrusted(provider), claims(brokered))));
    }

    /**
     * An {@code email_verified} that was said of this very address decides, and one "no" is enough; where nothing was
     * said, it is the administrator's word about the provider ("Trust Email").
     */
    static boolean isVerified(String email, boolean trusted, List<JsonNode> claims) {
        List<Boolean> said = claims.stream()
                .filter(claim -> email.equalsIgnoreCase(claim.path(EMAIL).textValue()) && claim.hasNonNull(EMAIL_VERIFIED))
                .map(claim -> claim.path(EMAIL_VERIFIED).asBoolean())
                .toList();
        return said.isEmpty() ? trusted : !said.contains(false);
    }

    /** Of the ID token and of the user info. */
    private static List<JsonNode> claims(BrokeredIdentityContext brokered) {
        return Stream.of(OIDCIdentityProvider.VALIDATED_ID_TOKEN, AbstractJsonUserAttributeMapper.CONTEXT_JSON_NODE)
                .map(brokered.getContextData()::get)
                .filter(claims -> claims != null)
                .map(claims -> JsonSerialization.mapper.<JsonNode>valueToTree(claims))
                .toList();
    }

    // A boolean in 26.0, a Boolean since: no call that is compiled fits both.
    private static boolean isTrusted(IdentityProviderModel provider) {
        try {
            return Boolean.TRUE.equals(IdentityProviderModel.class.getMethod("isTrustEmail").invoke(provider));
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("This Keycloak does not tell whether the addresses of an identity provider are trusted", e);
        }
    }

    /** From here on the address is written as the invitation has it: accounts are made and found by it. */
    static void writeAddress(AuthenticationSessionModel authSession, String invited) {
        SerializedBrokeredIdentityContext written = SerializedBrokeredIdentityContext.readFromAuthenticationSession(authSession, AbstractIdpAuthenticator.BROKERED_CONTEXT_NOTE);
        written.setEmail(invited);
        written.setModelUsername(invited);
        written.saveToAuthenticationSession(authSession, AbstractIdpAuthenticator.BROKERED_CONTEXT_NOTE);
    }
}
