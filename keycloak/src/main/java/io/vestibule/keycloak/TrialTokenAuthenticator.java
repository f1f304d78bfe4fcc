package io.vestibule.keycloak;

import java.util.Map;
import java.util.Optional;
import java.util.Set;

import jakarta.ws.rs.core.Response;
import org.jboss.logging.Logger;
import org.keycloak.authentication.AuthenticationFlowContext;
import org.keycloak.authentication.Authenticator;
import org.keycloak.common.util.KeycloakUriBuilder;
import org.keycloak.events.Details;
import org.keycloak.events.Errors;
import org.keycloak.events.EventType;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.RealmModel;
import org.keycloak.models.UserModel;
import org.keycloak.protocol.oidc.OIDCLoginProtocol;
import org.keycloak.services.resources.LoginActionsService;
import org.keycloak.sessions.AuthenticationSessionModel;

/**
 * Asks the bridge whether the invitation is good, and puts the invited address into the authentication session.
 *
 * <h2>Placement</h2>
 * First and REQUIRED in the registration flow, before the form-flow: the form must know the address before it is
 * shown, and nobody may see the form without having passed here. REQUIRED also before TrialProviderCreation in a
 * first-broker-login flow: there the address that the identity provider vouches for has to be the invited one, and the
 * rule for registration without an invitation is the same; who has an account already passes, to be linked.
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
        Optional<BrokeredPerson> brokered = LoginActionsService.FIRST_BROKER_LOGIN_PATH.equals(context.getFlowPath()) ? BrokeredPerson.of(context) : Optional.empty();
        boolean used = brokered.map(person -> FormProviders.signUp(context.getSession(), context.getRealm(), person.alias()))
                .orElse(LoginActionsService.REGISTRATION_PATH.equals(context.getFlowPath()));
        if (token == null || !used) {
            withoutInvitation(context, config, withoutInvitation, brokered);
        } else if (brokered.isPresent()) {
            fromProvider(context, config, token, brokered.get(), BridgeClient.of(context.getSession(), settings, requestId));
        } else {
            answer(context, config, token, BridgeClient.of(context.getSession(), settings, requestId).verify(token));
        }
    }

    private void withoutInvitation(AuthenticationFlowContext context, Map<String, String> config, WithoutInvitation policy, Optional<BrokeredPerson> brokered) {
        if (policy.allows(context.getAuthenticationSession().getClient().getClientId())) {
            Invitation.allowOrdinary(context.getAuthenticationSession());
            context.success();
        } else if (brokered.isPresent() && hasAccount(context, brokered.get())) {
            context.success();
        } else {
            refuse(context, Response.Status.FORBIDDEN, "missing", "trialNewLink", newLinkUrl(context, config, null));
        }
    }

    /** The steps after this one find it too, and link after a proof. */
    private static boolean hasAccount(AuthenticationFlowContext context, BrokeredPerson person) {
        RealmModel realm = context.getRealm();
        return person.email() != null && !realm.isDuplicateEmailsAllowed() && context.getSession().users().getUserByEmail(realm, person.email()) != null;
    }

    /** Whoever has an account goes on to it as ever; nobody gets one but with the address that was invited and that the provider vouches for. */
    private void fromProvider(AuthenticationFlowContext context, Map<String, String> config, String token, BrokeredPerson person, BridgeClient bridge) {
        if (hasAccount(context, person) && AddressHolders.of(context.getSession(), context.getRealm(), person.email()).isKnown()) {
            context.success();
            return;
        }
        Verification answer = bridge.verify(token, person.email());
        boolean same = answer instanceof Verification.Verified verified && verified.addressIsInvited();
        if (same && person.verified()) {
            answer(context, config, token, answer);
        } else if (hasAccount(context, person)) {
            context.success();
        } else if (answer instanceof Verification.Verified verified) {
            context.getEvent().event(EventType.REGISTER).detail(Details.REASON, "trial_invitation_other_address").error(Errors.ACCESS_DENIED);
            context.forceChallenge(TrialPage.otherAddress(context, person, verified.username(), same, newLinkUrl(context, config, null)));
        } else {
            answer(context, config, token, answer);
        }
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
            if (LoginActionsService.FIRST_BROKER_LOGIN_PATH.equals(context.getFlowPath())) {
                BrokeredPerson.writeAddress(context.getAuthenticationSession(), invitation.username());
            }
            invitation.keep(context.getAuthenticationSession());
            handOver(context.getAuthenticationSession(), invitation.username());
            context.success();
        }
    }

    /** What Keycloak hands on to an identity provider: not that it register somebody, and whom it is about where the provider is to be told. */
    private static void handOver(AuthenticationSessionModel authSession, String invited) {
        authSession.removeClientNote(OIDCLoginProtocol.PROMPT_PARAM);
        authSession.setClientNote(OIDCLoginProtocol.LOGIN_HINT_PARAM, invited);
    }

    /** The buttons of the pages: {@code sign-in}, {@code stay}, {@code go-on}, {@code form}. */
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
        } else if ("form".equals(decision)) {
            FlowMove.toForm(context);
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
