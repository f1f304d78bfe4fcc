package io.vestibule.keycloak;

import java.util.List;
import java.util.Map;

import org.keycloak.Config;
import org.keycloak.authentication.Authenticator;
import org.keycloak.authentication.AuthenticatorFactory;
import org.keycloak.models.AuthenticationExecutionModel.Requirement;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.KeycloakSessionFactory;
import org.keycloak.provider.ProviderConfigProperty;
import org.keycloak.provider.ServerInfoAwareProviderFactory;

/** Offers {@link TrialTokenAuthenticator} in the admin console, and tells by {@code /admin/serverinfo} which jar a node runs. */
public final class TrialTokenAuthenticatorFactory implements AuthenticatorFactory, ServerInfoAwareProviderFactory {

    public static final String PROVIDER_ID = "trial-token-authenticator";

    private static final Requirement[] REQUIREMENTS = {Requirement.REQUIRED, Requirement.DISABLED};
    private static final TrialTokenAuthenticator STEP = new TrialTokenAuthenticator();

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
        return "Trial: invitation";
    }

    @Override
    public String getHelpText() {
        return "Lets in who follows a good invitation. Stands first in the registration flow, before the form.";
    }

    @Override
    public List<ProviderConfigProperty> getConfigProperties() {
        ProviderConfigProperty byDefault = new ProviderConfigProperty(WithoutInvitation.DEFAULT, "Without an invitation",
                "deny: a page says that registration is by invitation. allow: the ordinary form.",
                ProviderConfigProperty.LIST_TYPE, WithoutInvitation.DENY);
        byDefault.setOptions(List.of(WithoutInvitation.DENY, WithoutInvitation.ALLOW));
        return StepConfig.withBridge(
                byDefault,
                StepConfig.texts(WithoutInvitation.EXCEPTIONS, "Exceptions per client", "clientId=allow or clientId=deny."),
                StepConfig.text(StepConfig.NEW_LINK_URL, "Page for a new link", "Where a person with a bad link gets a new one.", null),
                StepConfig.text(StepConfig.CONTACT_URL, "Contact page", "Where to go when this step is not set up.", null));
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
    public Map<String, String> getOperationalInfo() {
        return Release.information();
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
