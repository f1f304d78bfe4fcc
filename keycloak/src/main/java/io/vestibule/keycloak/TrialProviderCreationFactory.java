package io.vestibule.keycloak;

import org.keycloak.authentication.Authenticator;
import org.keycloak.authentication.authenticators.broker.IdpCreateUserIfUniqueAuthenticatorFactory;
import org.keycloak.models.KeycloakSession;

/** Offers {@link TrialProviderCreation} in the admin console, with the settings of the step whose place it takes. */
public final class TrialProviderCreationFactory extends IdpCreateUserIfUniqueAuthenticatorFactory {

    public static final String PROVIDER_ID = "trial-provider-creation";

    private static final TrialProviderCreation STEP = new TrialProviderCreation();

    @Override
    public Authenticator create(KeycloakSession session) {
        return STEP;
    }

    @Override
    public String getId() {
        return PROVIDER_ID;
    }

    @Override
    public String getDisplayType() {
        return "Trial: account from an identity provider";
    }

    @Override
    public String getHelpText() {
        return "Creates the invited person's account, linked to the identity provider. Without an invitation it is \"Create User If Unique\". Stands in its place, after \"Trial: invitation\".";
    }

    @Override
    public String getReferenceCategory() {
        return "trial";
    }
}
