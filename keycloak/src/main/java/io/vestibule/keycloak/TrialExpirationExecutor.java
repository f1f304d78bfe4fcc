package io.vestibule.keycloak;

import java.util.Optional;

import org.jboss.logging.Logger;
import org.keycloak.OAuthErrorException;
import org.keycloak.common.util.Time;
import org.keycloak.events.Details;
import org.keycloak.events.Errors;
import org.keycloak.events.EventBuilder;
import org.keycloak.events.EventType;
import org.keycloak.models.ClientModel;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.UserModel;
import org.keycloak.representations.idm.ClientPolicyExecutorConfigurationRepresentation;
import org.keycloak.services.clientpolicy.ClientPolicyContext;
import org.keycloak.services.clientpolicy.ClientPolicyException;
import org.keycloak.services.clientpolicy.executor.ClientPolicyExecutorProvider;

/**
 * Refuses every token after a trial's end, by the stamp alone and with Keycloak's own clock: a token request must not
 * wait for the bridge.
 *
 * <h2>Placement</h2>
 * In a client profile, with a client policy of condition {@code any-client}: refresh, code exchange, device, CIBA, token
 * exchange and JWT grants run no authentication flow, so TrialExpirationAuthenticator never sees them. What one of them
 * can't show here, the protocol mapper ends: no access token outlives the trial.
 */
final class TrialExpirationExecutor implements ClientPolicyExecutorProvider<ClientPolicyExecutorConfigurationRepresentation> {

    private static final Logger LOG = Logger.getLogger(TrialExpirationExecutor.class);

    private final KeycloakSession session;

    TrialExpirationExecutor(KeycloakSession session) {
        this.session = session;
    }

    @Override
    public void executeOnEvent(ClientPolicyContext context) throws ClientPolicyException {
        ClientModel client = session.getContext().getClient();
        if (client == null) {
            return;
        }
        UserModel user = TokenOwner.of(session, context);
        if (user == null) {
            return;
        }
        Optional<TrialStamp> stamp = TrialStamp.of(user, client.getClientId());
        if (stamp.isPresent() && stamp.get().isOver(Time.currentTimeMillis() / 1_000)) {
            deny(user, client, context.getEvent().name());
        }
    }

    private void deny(UserModel user, ClientModel client, String policyEvent) throws ClientPolicyException {
        // Keycloak's own event of the grant names the policy's error; this one is the same for every way in.
        new EventBuilder(session.getContext().getRealm(), session, session.getContext().getConnection())
                .event(EventType.LOGIN)
                .client(client)
                .user(user)
                .detail(Details.USERNAME, user.getUsername())
                .detail(Details.REASON, TrialExpirationAuthenticator.REASON)
                .detail("policy_event", policyEvent)
                .detail("trial_judged_by", TrialEnd.BY_STAMP)
                .error(Errors.ACCESS_DENIED);
        LOG.debugf("Refused %s to %s at %s: the trial is over", policyEvent, user.getId(), client.getClientId());
        throw new ClientPolicyException(OAuthErrorException.INVALID_GRANT, TrialExpirationAuthenticator.DESCRIPTION);
    }

    @Override
    public String getProviderId() {
        return TrialExpirationExecutorFactory.PROVIDER_ID;
    }
}
