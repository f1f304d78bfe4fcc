package io.vestibule.keycloak;

import org.keycloak.authentication.AuthenticationFlowContext;
import org.keycloak.authentication.authenticators.browser.AbstractUsernameFormAuthenticator;
import org.keycloak.authentication.authenticators.resetcred.ResetCredentialChooseUser;
import org.keycloak.services.managers.AuthenticationManager;

/**
 * Asks whose password is forgotten, and does not look whether there is such a person.
 *
 * <h2>Placement</h2>
 * First in the reset-credentials flow, in place of {@code reset-credentials-choose-user}, and together with
 * {@link DiscreetResetEmail}, which looks after the answer. The page is Keycloak's own.
 */
public final class DiscreetChooseUser extends ResetCredentialChooseUser {

    public static final String PROVIDER_ID = "vestibule-reset-choose-user";

    @Override
    public void action(AuthenticationFlowContext context) {
        String username = context.getHttpRequest().getDecodedFormParameters().getFirst(AuthenticationManager.FORM_USERNAME);
        if (username == null || username.isEmpty()) {
            super.action(context);
            return;
        }
        context.getAuthenticationSession().setAuthNote(AbstractUsernameFormAuthenticator.ATTEMPTED_USERNAME, username.strip());
        context.clearUser();
        context.success();
    }

    @Override
    public String getId() {
        return PROVIDER_ID;
    }

    @Override
    public String getDisplayType() {
        return "Trial: whose password";
    }

    @Override
    public String getHelpText() {
        return "Asks for the user name or e-mail address, and does the same work whether or not there is such an account.";
    }
}
