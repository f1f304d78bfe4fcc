package io.vestibule.keycloak;

import java.util.Map;
import java.util.Optional;
import java.util.Set;

import jakarta.ws.rs.core.Response;
import org.jboss.logging.Logger;
import org.keycloak.authentication.AuthenticationFlowContext;
import org.keycloak.authentication.Authenticator;
import org.keycloak.authentication.authenticators.broker.AbstractIdpAuthenticator;
import org.keycloak.authentication.authenticators.broker.util.SerializedBrokeredIdentityContext;
import org.keycloak.common.util.KeycloakUriBuilder;
import org.keycloak.events.Details;
import org.keycloak.events.Errors;
import org.keycloak.events.EventType;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.RealmModel;
import org.keycloak.models.UserModel;
import org.keycloak.services.resources.LoginActionsService;

/**
 * Asks the bridge whether the invitation is good, and puts the invited address into the authentication session.
 *
 * <h2>Placement</h2>
 * First and REQUIRED in the registration flow, before the form-flow: the form must know the address before it is
 * shown, and nobody may see the form without having passed here. It may also stand, REQUIRED, before
 * {@code idp-create-user-if-unique} in a first-broker-login flow: there it applies the rule for registration without an
 * invitation, because an invitation is used through the form only; who has an account already passes, to be linked.
 */
final class TrialTokenAuthenticator implements Authenticator {

    private static final Logger LOG = Logger.getLogger(TrialTokenAuthenticator.class);

    private static final String DECISION = "decision";
    private static final Set<String> REASONS = Set.of("unknown", "expired", "revoked");

    @Override
    public void authenticate(AuthenticationFlowContext context) {
        Map<String, String> config = StepConfig.of(context.getAuthenticatorConfig());
        String requestId = RequestId.of(context.getAuthenticationSession());
        context.getEvent().detail(RequestId.EVENT_DETAIL, requestId);

        BridgeSettings settings;
        WithoutInvitation withoutInvitation;
        try {
            withoutInvitation = WithoutInvitation.from(config);
            settings = BridgeSettings.from(config, System.getenv());
        } catch (Misconfigured e) {
            LOG.errorf("The step %s is not configured: %s", TrialTokenAuthenticatorFactory.PROVIDER_ID, e.getMessage());
            refuse(context, Response.Status.SERVICE_UNAVAILABLE, "misconfigured", "trialContact", StepConfig.url(config, StepConfig.CONTACT_URL));
            return;
        }

        String token = Invitation.tokenOf(context.getAuthenticationSession());
        if (token == null || !LoginActionsService.REGISTRATION_PATH.equals(context.getFlowPath())) {
            withoutInvitation(context, config, withoutInvitation);
            return;
        }
        answer(context, config, token, BridgeClient.of(context.getSession(), settings, requestId).verify(token));
    }

    private void withoutInvitation(AuthenticationFlowContext context, Map<String, String> config, WithoutInvitation policy) {
        if (policy.allows(context.getAuthenticationSession().getClient().getClientId()) || isKnownToRealm(context)) {
            Invitation.allowOrdinary(context.getAuthenticationSession());
            context.success();
        } else {
            refuse(context, Response.Status.FORBIDDEN, "missing", "trialNewLink", newLinkUrl(context, config, null));
        }
    }

    /** From an identity provider, with an address that has an account: {@code idp-create-user-if-unique} makes none, the steps after it link. */
    private static boolean isKnownToRealm(AuthenticationFlowContext context) {
        RealmModel realm = context.getRealm();
        SerializedBrokeredIdentityContext brokered =
                SerializedBrokeredIdentityContext.readFromAuthenticationSession(context.getAuthenticationSession(), AbstractIdpAuthenticator.BROKERED_CONTEXT_NOTE);
        return LoginActionsService.FIRST_BROKER_LOGIN_PATH.equals(context.getFlowPath())
                && brokered != null && brokered.getEmail() != null && !realm.isDuplicateEmailsAllowed()
                && context.getSession().users().getUserByEmail(realm, brokered.getEmail()) != null;
    }

    private void answer(AuthenticationFlowContext context, Map<String, String> config, String token, Verification answer) {
        if (answer instanceof Verification.Verified verified) {
            invited(context, new Invitation(token, verified.username(), verified.firstName(), verified.lastName(), verified.questions()));
        } else if (answer instanceof Verification.Refused refused && "spent".equals(refused.reason())) {
            spent(context, refused.username());
        } else if (answer instanceof Verification.Refused refused) {
            String reason = REASONS.contains(refused.reason()) ? refused.reason() : "unknown";
            refuse(context, Response.Status.FORBIDDEN, reason, "trialNewLink", newLinkUrl(context, config, refused.product()));
        } else if (answer instanceof Verification.NoAnswer none) {
            LOG.warnf("The bridge did not answer to verify: %s. request_id=%s", none.cause(), RequestId.of(context.getAuthenticationSession()));
            refuse(context, Response.Status.SERVICE_UNAVAILABLE, "unavailable", "trialTryAgain", context.getRefreshUrl(false).toString());
        }
    }

    /** No error for its owner: signed in, it leads into the app; signed out, to sign-in. Somebody else is asked first. */
    private void spent(AuthenticationFlowContext context, String owner) {
        Optional<SignedIn> person = SignedIn.find(context);
        person.ifPresent(one -> one.keepSignedIn(context));
        if (person.isPresent() && owner != null && !person.get().owns(owner)) {
            context.forceChallenge(TrialPage.otherPerson(context, person.get().user().getUsername(), owner));
        } else {
            FlowMove.toSignIn(context, "trialLinkUsed", null);
        }
    }

    /** The new link is for the same product, and the page that sends it speaks the language of this one. */
    private static String newLinkUrl(AuthenticationFlowContext context, Map<String, String> config, String product) {
        String configured = StepConfig.url(config, StepConfig.NEW_LINK_URL);
        if (configured == null) {
            return null;
        }
        KeycloakUriBuilder page = KeycloakUriBuilder.fromUri(configured)
                .queryParam("lang", context.getSession().getContext().resolveLocale(context.getUser()).toLanguageTag());
        return (product == null ? page : page.queryParam("product", product)).build().toString();
    }

    private void invited(AuthenticationFlowContext context, Invitation invitation) {
        Optional<SignedIn> person = SignedIn.find(context);
        if (person.isPresent() && person.get().owns(invitation.username()) && person.get().proven()) {
            person.get().keepSignedIn(context);
            FlowMove.toSignIn(context, null, invitation.username());
        } else if (person.isPresent() && !person.get().owns(invitation.username())) {
            person.get().keepSignedIn(context);
            context.forceChallenge(TrialPage.otherPerson(context, person.get().user().getUsername(), invitation.username()));
        } else if (AddressHolders.of(context.getSession(), context.getRealm(), invitation.username()).isKnown()) {
            context.forceChallenge(TrialPage.known(context, invitation.username()));
        } else {
            invitation.keep(context.getAuthenticationSession());
            context.success();
        }
    }

    /** The buttons of the pages: {@code sign-in}, {@code stay}, {@code go-on}. */
    @Override
    public void action(AuthenticationFlowContext context) {
        String decision = context.getHttpRequest().getDecodedFormParameters().getFirst(DECISION);
        Optional<SignedIn> person = SignedIn.find(context);
        if ("go-on".equals(decision)) {
            person.ifPresent(other -> other.signOut(context));
            // Both lookups can find one: the cookie's session, and the one that carries this authentication session's id.
            SignedIn.bySession(context.getSession(), context.getRealm(), context.getAuthenticationSession()).ifPresent(other -> other.signOut(context));
            FlowMove.toNewRegistration(context);
        } else if ("stay".equals(decision)) {
            person.ifPresent(same -> same.keepSignedIn(context));
            FlowMove.toSignIn(context, null, person.map(same -> same.user().getUsername()).orElse(null));
        } else if ("sign-in".equals(decision)) {
            person.ifPresent(same -> same.keepSignedIn(context));
            FlowMove.toSignIn(context, null, context.getHttpRequest().getDecodedFormParameters().getFirst("address"));
        } else {
            authenticate(context);
        }
    }

    // forceChallenge, not failure: the page may be reloaded, and a refused invitation is no failed login for brute-force detection.
    private void refuse(AuthenticationFlowContext context, Response.Status status, String reason, String buttonKey, String buttonUrl) {
        Response page = TrialPage.refused(context, status, reason, buttonKey, buttonUrl);
        context.getEvent().event(EventType.REGISTER).detail(Details.REASON, "trial_invitation_" + reason).error(Errors.ACCESS_DENIED);
        context.forceChallenge(page);
    }

    @Override
    public boolean requiresUser() {
        return false;
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
