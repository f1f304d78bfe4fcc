package io.vestibule.keycloak;

import java.time.DateTimeException;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.Map;
import java.util.Optional;

import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import org.jboss.logging.Logger;
import org.keycloak.OAuthErrorException;
import org.keycloak.authentication.AuthenticationFlowContext;
import org.keycloak.authentication.Authenticator;
import org.keycloak.common.util.Time;
import org.keycloak.events.Details;
import org.keycloak.events.Errors;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.RealmModel;
import org.keycloak.models.UserModel;
import org.keycloak.representations.idm.OAuth2ErrorRepresentation;

/**
 * Refuses a person whose trial at the client they sign in to is over. People without a stamp cost no call.
 *
 * <h2>Placement</h2>
 * Last and REQUIRED, where the person is known, in every flow that ends in a session: at the top of the browser flow
 * after a REQUIRED sub-flow of the ways in (beside ALTERNATIVE executions it would be ignored, or skipped by the cookie);
 * at the end of direct grant and of reset credentials, which signs in without the browser flow; alone in a post-broker
 * flow, because sign-in through an identity provider leaves the browser flow. Refresh and code exchange run no flow:
 * they are TrialExpirationExecutor's.
 */
final class TrialExpirationAuthenticator implements Authenticator {

    static final String REASON = "trial_expired";
    static final String DESCRIPTION = "The trial has ended";

    private static final Logger LOG = Logger.getLogger(TrialExpirationAuthenticator.class);
    // ResourceOwnerPasswordCredentialsGrantType's flow path: the answer goes to a program.
    private static final String DIRECT_GRANT_PATH = "token";

    @Override
    public void authenticate(AuthenticationFlowContext context) {
        String clientId = context.getAuthenticationSession().getClient().getClientId();
        Optional<TrialStamp> stamp = TrialStamp.of(context.getUser(), clientId);
        if (stamp.isEmpty()) {
            context.success();
            return;
        }
        Map<String, String> config = StepConfig.of(context.getAuthenticatorConfig());
        String requestId = RequestId.of(context.getAuthenticationSession());
        TrialEnd end = TrialEnd.judge(stamp.get(), ask(context, config, requestId), Time.currentTimeMillis() / 1_000);
        if (TrialEnd.BY_STAMP.equals(end.judgedBy())) {
            context.getEvent().detail("trial_judged_by", TrialEnd.BY_STAMP);
        }
        if (end.over()) {
            deny(context, config, end, requestId);
        } else {
            context.success();
        }
    }

    private static Infos ask(AuthenticationFlowContext context, Map<String, String> config, String requestId) {
        Infos infos;
        try {
            infos = EarlyInfos.answer(context, BridgeSettings.from(config, System.getenv()));
        } catch (Misconfigured e) {
            LOG.errorf("The step %s is not configured: %s", TrialExpirationAuthenticatorFactory.PROVIDER_ID, e.getMessage());
            return new Infos.NoAnswer(e.getMessage());
        }
        if (infos instanceof Infos.NoAnswer none) {
            LOG.warnf("The bridge did not answer to infos, the stamp decides: %s. request_id=%s", none.cause(), requestId);
        }
        return infos;
    }

    private static void deny(AuthenticationFlowContext context, Map<String, String> config, TrialEnd end, String requestId) {
        Response answer = DIRECT_GRANT_PATH.equals(context.getFlowPath())
                ? Response.status(Response.Status.BAD_REQUEST)
                        .entity(new OAuth2ErrorRepresentation(OAuthErrorException.INVALID_GRANT, DESCRIPTION))
                        .type(MediaType.APPLICATION_JSON_TYPE).build()
                : TrialPage.expired(context,
                        end.inWords(context.getSession().getContext().resolveLocale(context.getUser()), zone(config)),
                        StepConfig.url(config, StepConfig.CONTACT_URL));
        context.getEvent().user(context.getUser())
                .detail(Details.USERNAME, context.getUser().getUsername())
                .detail(Details.REASON, REASON)
                .detail(RequestId.EVENT_DETAIL, requestId)
                .error(Errors.ACCESS_DENIED);
        // forceChallenge, not failure: the page may be reloaded after an extension, and brute-force detection must not
        // lock a person out for having had a trial.
        context.forceChallenge(answer);
    }

    private static ZoneId zone(Map<String, String> config) {
        String value = StepConfig.url(config, StepConfig.TIME_ZONE);
        try {
            return value == null ? ZoneOffset.UTC : ZoneId.of(value);
        } catch (DateTimeException e) {
            LOG.errorf("%s is not an IANA time zone: %s. UTC is shown", StepConfig.TIME_ZONE, value);
            return ZoneOffset.UTC;
        }
    }

    /** The page has no form. A post (a resent login form) is judged again. */
    @Override
    public void action(AuthenticationFlowContext context) {
        authenticate(context);
    }

    @Override
    public boolean requiresUser() {
        return true;
    }

    @Override
    public boolean configuredFor(KeycloakSession session, RealmModel realm, UserModel user) {
        return true;
    }

    @Override
    public void setRequiredActions(KeycloakSession session, RealmModel realm, UserModel user) {
        // Asks nothing of the person.
    }

    @Override
    public void close() {
        // Holds nothing.
    }
}
