package io.vestibule.keycloak;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

import jakarta.ws.rs.core.MultivaluedHashMap;
import jakarta.ws.rs.core.MultivaluedMap;
import jakarta.ws.rs.core.Response;
import org.jboss.logging.Logger;
import org.keycloak.authentication.AuthenticationFlowContext;
import org.keycloak.authentication.authenticators.broker.IdpConfirmOverrideLinkAuthenticator;
import org.keycloak.authentication.authenticators.broker.IdpCreateUserIfUniqueAuthenticator;
import org.keycloak.authentication.authenticators.broker.util.SerializedBrokeredIdentityContext;
import org.keycloak.broker.provider.BrokeredIdentityContext;
import org.keycloak.broker.provider.IdentityProviderMapper;
import org.keycloak.connections.jpa.JpaConnectionProvider;
import org.keycloak.events.Details;
import org.keycloak.events.EventType;
import org.keycloak.models.FederatedIdentityModel;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.RealmModel;
import org.keycloak.models.UserModel;
import org.keycloak.models.utils.FormMessage;
import org.keycloak.sessions.AuthenticationSessionModel;
import org.keycloak.userprofile.UserProfileContext;
import org.keycloak.userprofile.UserProfileProvider;
import org.keycloak.userprofile.ValidationException;

/**
 * Makes the account of an invited person who comes from an identity provider, with the link to that one, in one
 * transaction with the trial. Whoever has an account is left to the steps that link; without an invitation it is
 * Keycloak's own step, and does nothing where TrialTokenAuthenticator did not let ordinary registration pass.
 *
 * <h2>Placement</h2>
 * In a first-broker-login flow, in place of {@code idp-create-user-if-unique} and under the same requirement, after
 * TrialTokenAuthenticator. What may be granted is said at TrialTokenFormAction, once for both ways.
 */
final class TrialProviderCreation extends IdpCreateUserIfUniqueAuthenticator {

    private static final Logger LOG = Logger.getLogger(TrialProviderCreation.class);
    private static final Set<String> NAMES = Set.of(UserModel.FIRST_NAME, UserModel.LAST_NAME);
    // Never by a mapper of the provider: the first two are the invitation's, the third is ours.
    private static final Set<String> NOT_THE_PROVIDERS = Set.of(UserModel.USERNAME, UserModel.EMAIL, TrialStamp.ATTRIBUTE);

    @Override
    protected void authenticateImpl(AuthenticationFlowContext context, SerializedBrokeredIdentityContext written, BrokeredIdentityContext brokered) {
        AuthenticationSessionModel authSession = context.getAuthenticationSession();
        Optional<Invitation> invitation = Invitation.of(authSession);
        if (invitation.isPresent() && invitation.get().questions().isEmpty()) {
            signUp(context, written, brokered, invitation.get(), new MultivaluedHashMap<>());
        } else if (invitation.isPresent()) {
            ask(context, brokered, invitation.get(), new MultivaluedHashMap<>(), List.of());
        } else if (Invitation.isOrdinaryAllowed(authSession) || hasAccount(context, written, brokered)) {
            super.authenticateImpl(context, written, brokered);
        } else {
            LOG.errorf("The step %s stands without %s before it: nobody who is new comes through", TrialProviderCreationFactory.PROVIDER_ID, TrialTokenAuthenticatorFactory.PROVIDER_ID);
            context.forceChallenge(TrialPage.refused(context, Response.Status.FORBIDDEN, "misconfigured", null, null));
        }
    }

    private boolean hasAccount(AuthenticationFlowContext context, SerializedBrokeredIdentityContext written, BrokeredIdentityContext brokered) {
        String username = getUsername(context, written, brokered);
        return username != null && checkExistingUser(context, username, written, brokered) != null;
    }

    @Override
    protected void actionImpl(AuthenticationFlowContext context, SerializedBrokeredIdentityContext written, BrokeredIdentityContext brokered) {
        Optional<Invitation> invitation = Invitation.of(context.getAuthenticationSession());
        if (invitation.isEmpty()) {
            // A rollback took the steps before this one back, too.
            FlowMove.toStartOf(context, context.getFlowPath());
            return;
        }
        MultivaluedMap<String, String> formData = context.getHttpRequest().getDecodedFormParameters();
        List<FormMessage> faults = Answers.faults(formData, invitation.get().questions());
        if (faults.isEmpty()) {
            signUp(context, written, brokered, invitation.get(), formData);
        } else {
            ask(context, brokered, invitation.get(), formData, faults);
        }
    }

    private static void ask(AuthenticationFlowContext context, BrokeredIdentityContext brokered, Invitation invitation, MultivaluedMap<String, String> formData, List<FormMessage> faults) {
        context.forceChallenge(TrialPage.fromProvider(context, brokered.getIdpConfig(), invitation, formData, faults));
    }

    private static void signUp(AuthenticationFlowContext context, SerializedBrokeredIdentityContext written, BrokeredIdentityContext brokered, Invitation invitation, MultivaluedMap<String, String> formData) {
        AuthenticationSessionModel authSession = context.getAuthenticationSession();
        String requestId = RequestId.of(authSession);
        try {
            TrialAccount account = TrialAccount.of(context.getSession(), invitation, stepConfig(context.getRealm()), requestId);
            UserModel user = account.insert(context.getConnection(), () -> insert(context.getSession(), invitation, written));
            link(context.getSession(), user, brokered);
            account.provision(user, Answers.in(formData, invitation.questions()));
            // What comes after this flow makes the link, in a request of its own that may never come. It finds it, and renews it.
            authSession.setAuthNote(IdpConfirmOverrideLinkAuthenticator.OVERRIDE_LINK, "true");
            context.newEvent().event(EventType.REGISTER).client(authSession.getClient()).user(user)
                    .detail(Details.USERNAME, user.getUsername())
                    .detail(Details.EMAIL, user.getEmail())
                    .detail(Details.REGISTER_METHOD, "broker")
                    .detail(Details.IDENTITY_PROVIDER, brokered.getIdpConfig().getAlias())
                    .detail(RequestId.EVENT_DETAIL, requestId)
                    .success();
            context.setUser(user);
            context.success();
        } catch (TrialAccount.Failed e) {
            e.tell(context.newEvent(), authSession.getClient(), invitation.username(), requestId);
            // Without it the inserted user stays on Keycloak before 26.7.
            context.getSession().getTransactionManager().setRollbackOnly();
            ask(context, brokered, invitation, formData, List.of(e.shown()));
        }
    }

    private static Map<String, String> stepConfig(RealmModel realm) throws TrialAccount.Failed {
        try {
            return Grantable.stepConfig(realm);
        } catch (KeeperRefusal e) {
            throw new TrialAccount.Failed("trialMisconfigured", e.getMessage());
        }
    }

    private static UserModel insert(KeycloakSession session, Invitation invitation, SerializedBrokeredIdentityContext written) {
        UserModel user = session.users().addUser(session.getContext().getRealm(), invitation.username());
        user.setEnabled(true);
        user.setEmail(invitation.username());
        Map<String, List<String>> attributes = written.getAttributes();
        Set<String> refused = refusedNames(session, attributes);
        attributes.forEach((name, values) -> {
            if (!NOT_THE_PROVIDERS.contains(name) && !refused.contains(name)) {
                user.setAttribute(name, values);
            }
        });
        // Now, and not at the commit: whoever else has this address is first.
        session.getProvider(JpaConnectionProvider.class).getEntityManager().flush();
        return user;
    }

    /** Names that nobody could have typed on the form; where one is required, Keycloak asks for it next. */
    private static Set<String> refusedNames(KeycloakSession session, Map<String, List<String>> attributes) {
        try {
            session.getProvider(UserProfileProvider.class).create(UserProfileContext.REGISTRATION, attributes).validate();
            return Set.of();
        } catch (ValidationException e) {
            return Set.copyOf(NAMES.stream().filter(e::isAttributeOnError).toList());
        }
    }

    private static void link(KeycloakSession session, UserModel user, BrokeredIdentityContext brokered) {
        RealmModel realm = session.getContext().getRealm();
        String alias = brokered.getIdpConfig().getAlias();
        session.users().addFederatedIdentity(realm, user, new FederatedIdentityModel(alias, brokered.getId(), brokered.getUsername(), brokered.getToken()));
        session.identityProviders().getMappersByAliasStream(alias).forEach(mapper ->
                ((IdentityProviderMapper) session.getKeycloakSessionFactory().getProviderFactory(IdentityProviderMapper.class, mapper.getIdentityProviderMapper()))
                        .importNewUser(session, realm, user, mapper, brokered));
    }
}
