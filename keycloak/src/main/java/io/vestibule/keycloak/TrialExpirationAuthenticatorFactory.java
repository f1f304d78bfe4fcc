package io.vestibule.keycloak;

import java.util.List;

import org.keycloak.Config;
import org.keycloak.authentication.Authenticator;
import org.keycloak.authentication.AuthenticatorFactory;
import org.keycloak.models.AuthenticationExecutionModel.Requirement;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.KeycloakSessionFactory;
import org.keycloak.provider.ProviderConfigProperty;

/** Offers {@link TrialExpirationAuthenticator} in the admin console. */
public final class TrialExpirationAuthenticatorFactory implements AuthenticatorFactory {

    public static final String PROVIDER_ID = "trial-expiration-authenticator";

    private static final Requirement[] REQUIREMENTS = {Requirement.REQUIRED, Requirement.DISABLED};
    private static final TrialExpirationAuthenticator STEP = new TrialExpirationAuthenticator();

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
        return "Trial: end";
    }

    @Override
    public String getHelpText() {
        return "Refuses a person whose trial is over. Stands last in every flow that ends in a session.";
    }

    @Override
    public List<ProviderConfigProperty> getConfigProperties() {
        return StepConfig.withBridge(
                StepConfig.text(StepConfig.CONTACT_URL, "Contact page", "Where \"what now?\" leads when a trial has ended.", null),
                StepConfig.text(StepConfig.TIME_ZONE, "Time zone", "IANA name of the zone in which the end is shown.", "UTC"));
    }

    @Override
    public String getReferenceCategory() {
        return "trial";
    }

    @Override
    public boolean isConfigurable() {
        return true;
    }

    @Override
    public Requirement[] getRequirementChoices() {
        return REQUIREMENTS.clone();
    }

    @Override
    public boolean isUserSetupAllowed() {
        return false;
    }

    @Override
    public void init(Config.Scope config) {
        // Configured per execution.
    }

    @Override
    public void postInit(KeycloakSessionFactory factory) {
        // Depends on no other provider.
    }

    @Override
    public void close() {
        // Holds nothing.
    }
}
