package io.vestibule.keycloak;

import jakarta.ws.rs.core.MultivaluedMap;
import org.keycloak.authentication.AuthenticationFlowContext;
import org.keycloak.authentication.authenticators.browser.UsernamePasswordForm;
import org.keycloak.authentication.authenticators.util.AuthenticatorUtils;
import org.keycloak.events.Details;
import org.keycloak.events.Errors;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.UserModel;
import org.keycloak.models.credential.PasswordCredentialModel;
import org.keycloak.representations.idm.CredentialRepresentation;
import org.keycloak.services.managers.AuthenticationManager;
import org.keycloak.services.validation.Validation;

/**
 * The login form, where a wrong answer takes the same work whoever is asked about. Keycloak hashes a dummy password for
 * names that nobody has, but hashes nothing for an empty password (keycloak#51887), a locked account, or an account
 * without a password.
 *
 * <h2>Placement</h2>
 * In the browser flow's forms, in place of {@code auth-username-password-form}.
 */
final class DiscreetPasswordForm extends UsernamePasswordForm {

    DiscreetPasswordForm(KeycloakSession session) {
        super(session);
    }

    /** Keycloak before 26.3: no passkeys in the form. */
    DiscreetPasswordForm() {
        super();
    }

    @Override
    protected boolean validateForm(AuthenticationFlowContext context, MultivaluedMap<String, String> formData) {
        String password = formData.getFirst(CredentialRepresentation.PASSWORD);
        if ((password == null || password.isEmpty()) && !isUserAlreadySetBeforeUsernamePasswordAuth(context)) {
            refuseUnseen(context, formData.getFirst(AuthenticationManager.FORM_USERNAME));
            return false;
        }
        return super.validateForm(context, formData);
    }

    private void refuseUnseen(AuthenticationFlowContext context, String username) {
        context.clearUser();
        if (username != null && !username.isBlank()) {
            context.getEvent().detail(Details.USERNAME, username.strip());
            context.getAuthenticationSession().setAuthNote(ATTEMPTED_USERNAME, username.strip());
        }
        context.getEvent().error(Errors.INVALID_USER_CREDENTIALS);
        // forceChallenge, as Keycloak does here: nothing was tried, so brute-force detection has nothing to count.
        context.forceChallenge(challenge(context, getDefaultChallengeMessage(context), Validation.FIELD_PASSWORD));
    }

    @Override
    public boolean validatePassword(AuthenticationFlowContext context, UserModel user, MultivaluedMap<String, String> formData, boolean clearUser) {
        boolean hashed = user.credentialManager().isConfiguredFor(PasswordCredentialModel.TYPE)
                && AuthenticatorUtils.getDisabledByBruteForceEventError(context, user) == null;
        if (hashed) {
            EarlyInfos.begin(context, user);
        } else {
            AuthenticatorUtils.dummyHash(context);
        }
        return super.validatePassword(context, user, formData, clearUser);
    }
}
