package io.vestibule.keycloak;

import org.keycloak.authentication.Authenticator;
import org.keycloak.authentication.authenticators.browser.UsernamePasswordFormFactory;
import org.keycloak.models.KeycloakSession;

/** Offers {@link DiscreetPasswordForm} in the admin console. */
public final class DiscreetPasswordFormFactory extends UsernamePasswordFormFactory {

    public static final String PROVIDER_ID = "vestibule-username-password-form";

    @Override
    public Authenticator create(KeycloakSession session) {
        try {
            return new DiscreetPasswordForm(session);
        } catch (NoSuchMethodError e) {
            return new DiscreetPasswordForm();
        }
    }

    @Override
    public String getId() {
        return PROVIDER_ID;
    }

    @Override
    public String getDisplayType() {
        return "Trial: username and password";
    }

    @Override
    public String getHelpText() {
        return "The username and password form, which takes the same time whether or not there is such an account.";
    }
}
