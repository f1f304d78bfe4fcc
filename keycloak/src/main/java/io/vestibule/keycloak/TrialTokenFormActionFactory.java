package io.vestibule.keycloak;

import java.util.List;

import org.keycloak.Config;
import org.keycloak.authentication.FormAction;
import org.keycloak.authentication.FormActionFactory;
import org.keycloak.models.AuthenticationExecutionModel.Requirement;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.KeycloakSessionFactory;
import org.keycloak.provider.ProviderConfigProperty;

/** Offers {@link TrialTokenFormAction} in the admin console. */
public final class TrialTokenFormActionFactory implements FormActionFactory {

    public static final String PROVIDER_ID = "trial-token-form-action";

    private static final Requirement[] REQUIREMENTS = {Requirement.REQUIRED, Requirement.DISABLED};
    private static final TrialTokenFormAction ACTION = new TrialTokenFormAction();

    @Override
    public FormAction create(KeycloakSession session) {
        return ACTION;
    }

    @Override
    public String getId() {
        return PROVIDER_ID;
    }

    @Override
    public String getDisplayType() {
        return "Trial: account creation";
    }

    @Override
    public String getHelpText() {
        return "Creates the invited person's account and has the trial provisioned. Stands first in the form, in place of the user profile creation.";
    }

    @Override
    public List<ProviderConfigProperty> getConfigProperties() {
        return StepConfig.withBridge(
                StepConfig.texts(AllowList.ROLES, "Allowed roles", "Realm roles that the bridge may have granted. Anything else fails the creation."),
                StepConfig.texts(AllowList.ATTRIBUTES, "Allowed attributes", "User attributes that the bridge may have set. Anything else fails the creation."),
                StepConfig.texts(TrialJoining.EXCLUDED_ROLES, "Excluded roles", "Realm roles whose holders can't begin a trial with the account that they have: its end would keep them out. Empty: staff."),
                StepConfig.text(StepConfig.GROUP, "Group", "Path of the group that trial users join.", TrialTokenFormAction.DEFAULT_GROUP));
    }

    @Override
    public String getReferenceCategory() {
        return null;
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
