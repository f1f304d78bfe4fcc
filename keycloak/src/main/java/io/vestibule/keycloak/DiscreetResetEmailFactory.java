package io.vestibule.keycloak;

import org.keycloak.authentication.Authenticator;
import org.keycloak.authentication.authenticators.resetcred.ResetCredentialEmail;
import org.keycloak.models.KeycloakSession;

/**
 * Offers {@link DiscreetResetEmail} in the admin console, with the settings of Keycloak's own step. That one is its own
 * factory, closed after every request; the queue here lives as long as the server.
 */
public final class DiscreetResetEmailFactory extends ResetCredentialEmail {

    public static final String PROVIDER_ID = "vestibule-reset-credential-email";

    private final ResetMailQueue queue = new ResetMailQueue();

    @Override
    public Authenticator create(KeycloakSession session) {
        return new DiscreetResetEmail(queue);
    }

    @Override
    public String getId() {
        return PROVIDER_ID;
    }

    @Override
    public String getDisplayType() {
        return "Trial: reset e-mail";
    }

    @Override
    public String getHelpText() {
        return "Answers the same to everybody, and sends the mail afterwards if there is an account.";
    }

    @Override
    public void close() {
        queue.close();
    }
}
