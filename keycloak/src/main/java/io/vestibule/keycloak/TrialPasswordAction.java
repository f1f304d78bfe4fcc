package io.vestibule.keycloak;

import org.keycloak.authentication.FormContext;
import org.keycloak.authentication.ValidationContext;
import org.keycloak.authentication.forms.RegistrationPassword;

/**
 * Keycloak's password on the registration form, but for whoever chose a passkey: TrialTokenFormAction makes that one.
 *
 * <h2>Placement</h2>
 * In the registration form, after TrialTokenFormAction, in place of {@code registration-password-action} and with its
 * settings. Without it the form asks for a password, and offers no passkey.
 */
public final class TrialPasswordAction extends RegistrationPassword {

    public static final String PROVIDER_ID = "trial-password-action";

    @Override
    public void validate(ValidationContext context) {
        if (Passkey.isChosen(context)) {
            context.success();
        } else {
            super.validate(context);
        }
    }

    @Override
    public void success(FormContext context) {
        if (!Passkey.isChosen(context)) {
            super.success(context);
        }
    }

    @Override
    public String getId() {
        return PROVIDER_ID;
    }

    @Override
    public String getDisplayType() {
        return "Trial: password or passkey";
    }

    @Override
    public String getHelpText() {
        return "The password of a new account. Whoever is invited may choose a passkey instead, where the realm offers passkeys. Stands in place of \"Password Validation\".";
    }
}
