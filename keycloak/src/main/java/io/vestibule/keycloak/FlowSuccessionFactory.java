package io.vestibule.keycloak;

import java.util.List;

import org.keycloak.Config;
import org.keycloak.authentication.Authenticator;
import org.keycloak.authentication.AuthenticatorFactory;
import org.keycloak.models.AuthenticationExecutionModel.Requirement;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.KeycloakSessionFactory;
import org.keycloak.provider.ProviderConfigProperty;

/** Offers {@link FlowSuccession} in the admin console. */
public final class FlowSuccessionFactory implements AuthenticatorFactory {

    public static final String PROVIDER_ID = "vestibule-flow-succession";

    private static final Requirement[] REQUIREMENTS = {Requirement.REQUIRED, Requirement.DISABLED};
    private static final FlowSuccession STEP = new FlowSuccession();

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
        return "Trial: open pages";
    }

    @Override
    public String getHelpText() {
        return "Lets people whose login page was open while this flow took the place of another go on where they stand.";
    }

    @Override
    public List<ProviderConfigProperty> getConfigProperties() {
        return List.of(StepConfig.texts(FlowSuccession.SAME_STEPS, "Same steps", "id of a step of the former flow=id of the same step in this one."));
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
