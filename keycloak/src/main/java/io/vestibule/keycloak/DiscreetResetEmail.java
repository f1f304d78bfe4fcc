package io.vestibule.keycloak;

import org.keycloak.authentication.AuthenticationFlowContext;
import org.keycloak.authentication.authenticators.resetcred.ResetCredentialEmail;
import org.keycloak.models.DefaultActionTokenKey;
import org.keycloak.models.UserModel;
import org.keycloak.models.utils.FormMessage;
import org.keycloak.services.messages.Messages;

/**
 * Answers "you should receive an e-mail" to everybody at once. All that depends on whether there is an account, the look
 * for it included, happens after the answer: neither the clock nor a mail server that is down tells who has one
 * (keycloak#26625).
 *
 * <h2>Placement</h2>
 * In the reset-credentials flow in place of {@code reset-credential-email}, after {@link DiscreetChooseUser}.
 */
final class DiscreetResetEmail extends ResetCredentialEmail {

    private final ResetMailQueue queue;

    DiscreetResetEmail(ResetMailQueue queue) {
        this.queue = queue;
    }

    @Override
    public void authenticate(AuthenticationFlowContext context) {
        UserModel user = context.getUser();
        if (user != null && user.getId().equals(context.getAuthenticationSession().getAuthNote(DefaultActionTokenKey.ACTION_TOKEN_USER_ID))) {
            // Who comes from an action link has proven the mailbox already.
            super.authenticate(context);
            return;
        }
        queue.addAfterCompletion(context.getSession(), ResetMail.askedFor(context));
        context.forkWithSuccessMessage(new FormMessage(Messages.EMAIL_SENT));
    }
}
