package io.vestibule.keycloak;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.function.Supplier;

import org.jboss.logging.Logger;
import org.keycloak.common.ClientConnection;
import org.keycloak.events.Details;
import org.keycloak.events.Errors;
import org.keycloak.events.EventBuilder;
import org.keycloak.events.EventType;
import org.keycloak.models.ClientModel;
import org.keycloak.models.GroupModel;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.ModelDuplicateException;
import org.keycloak.models.RealmModel;
import org.keycloak.models.RoleModel;
import org.keycloak.models.UserModel;
import org.keycloak.models.utils.FormMessage;
import org.keycloak.models.utils.KeycloakModelUtils;
import org.keycloak.userprofile.ValidationException;

/**
 * The account of an invited person, by the form or through an identity provider: inserted, reserved by the bridge,
 * stamped, all in the transaction that makes it. Whoever catches {@link Failed} rolls that one back.
 */
final class TrialAccount {

    private static final Logger LOG = Logger.getLogger(TrialAccount.class);
    private static final Set<String> KNOWN_REFUSALS = Set.of(
            "invitation_expired", "invitation_revoked", "invitation_spent", "invitation_unknown", "username_mismatch");

    private final KeycloakSession session;
    private final RealmModel realm;
    private final Invitation invitation;
    private final Map<String, String> config;
    private final BridgeSettings bridge;
    private final String requestId;

    private TrialAccount(KeycloakSession session, Invitation invitation, Map<String, String> config, BridgeSettings bridge, String requestId) {
        this.session = session;
        this.realm = session.getContext().getRealm();
        this.invitation = invitation;
        this.config = config;
        this.bridge = bridge;
        this.requestId = requestId;
    }

    /** @param config of TrialTokenFormAction */
    static TrialAccount of(KeycloakSession session, Invitation invitation, Map<String, String> config, String requestId) throws Failed {
        try {
            return new TrialAccount(session, invitation, config, BridgeSettings.from(config, System.getenv()), requestId);
        } catch (Misconfigured e) {
            throw new Failed("trialMisconfigured", "the step " + TrialTokenFormActionFactory.PROVIDER_ID + " is not configured: " + e.getMessage());
        }
    }

    /** @param maker has the user in the database when it returns, or throws what Keycloak throws where somebody was first */
    UserModel insert(ClientConnection connection, Supplier<UserModel> maker) throws Failed {
        UserModel user;
        try {
            AddressHolders holders = AddressHolders.of(session, realm, invitation.username());
            if (holders.isKnown()) {
                throw new Failed("trialAddressTaken", "the address has an account by now");
            }
            holders.setAside(connection, requestId);
            user = maker.get();
        } catch (ModelDuplicateException | ValidationException e) {
            // Two at once: the other one was first.
            throw new Failed(new FormMessage(null, "trialAddressTaken"), "the address has an account by now", e);
        }
        if (!invitation.username().equals(user.getUsername())) {
            throw new Failed("trialFailed", "Keycloak's username is not the invited address byte for byte");
        }
        // The invitation reached this address and came back: that is the proof.
        user.setEmailVerified(true);
        user.removeRequiredAction(UserModel.RequiredAction.VERIFY_EMAIL);
        return user;
    }

    void provision(UserModel user, Answers answers) throws Failed {
        stamp(user, reserve(user, answers));
    }

    private Creation.Granted reserve(UserModel user, Answers answers) throws Failed {
        BridgeClient client = BridgeClient.of(session, bridge, requestId);
        String attemptId = UUID.randomUUID().toString();
        OutcomeReport report = new OutcomeReport(client, attemptId, user.getId());
        report.begin();
        session.getTransactionManager().enlistAfterCompletion(report);
        Creation answer = client.create(new Creation.Request(invitation.token(), invitation.username(), user.getId(), attemptId,
                user.getFirstName(), user.getLastName(), session.getContext().resolveLocale(user).toLanguageTag(), answers));
        if (answer instanceof Creation.Granted granted) {
            return granted;
        }
        if (answer instanceof Creation.Refused refused) {
            String key = KNOWN_REFUSALS.contains(refused.code()) ? "trialFailed." + refused.code() : "trialFailed";
            throw new Failed(key, "the bridge refused the creation: " + refused.code());
        }
        if (answer instanceof Creation.Unanswered unanswered) {
            boolean shown = invitation.questions().stream().anyMatch(question -> question.field().equals(unanswered.field()) && !question.asksConsent());
            FormMessage message = shown ? new FormMessage(unanswered.field(), "trialAnswerRefused") : new FormMessage(null, "trialAsksAnew");
            throw new Failed(message, "the bridge does not take what was answered to " + unanswered.field(), null);
        }
        throw new Failed("trialFailed", "the bridge did not answer to creation: " + ((Creation.NoAnswer) answer).cause());
    }

    private void stamp(UserModel user, Creation.Granted granted) throws Failed {
        List<String> refusals = AllowList.from(config).refusals(granted);
        if (!refusals.isEmpty()) {
            throw new Failed("trialFailed", "the bridge asked for what " + AllowList.ROLES + " and " + AllowList.ATTRIBUTES + " don't hold: " + refusals);
        }
        granted.attributes().forEach((name, values) -> user.setAttribute(name,
                TrialStamp.ATTRIBUTE.equals(name) ? TrialStamp.merge(user.getAttributeStream(name).toList(), born(values, granted.roles())) : values));
        for (String name : granted.roles()) {
            RoleModel role = realm.getRole(name);
            if (role == null) {
                throw new Failed("trialFailed", "the realm has no role " + name);
            }
            user.grantRole(role);
        }
        if (granted.attributes().containsKey(TrialStamp.ATTRIBUTE)) {
            String path = TrialTokenFormAction.groupPath(config);
            GroupModel group = KeycloakModelUtils.findGroupByPath(session, realm, path);
            if (group == null) {
                throw new Failed("trialFailed", "the realm has no group " + path + ", by which trial users are found");
            }
            user.joinGroup(group);
        }
    }

    /** This account is the trial's own: who erases the trial may delete it. */
    private static List<String> born(List<String> values, List<String> roles) {
        return values.stream().map(value -> StampEntry.read(value).map(entry -> entry.with(entry.version(), true, roles).text()).orElse(value)).toList();
    }

    /** Nobody is to be created. */
    static final class Failed extends Exception {

        private final transient FormMessage shown;

        Failed(String key, String why) {
            this(new FormMessage(null, key), why, null);
        }

        Failed(FormMessage shown, String why, Exception cause) {
            super(why, cause);
            this.shown = shown;
        }

        /** For the person. */
        FormMessage shown() {
            return shown;
        }

        /** To the log and the events. */
        void tell(EventBuilder event, ClientModel client, String username, String requestId) {
            LOG.errorf("Nobody was created: %s. request_id=%s", getMessage(), requestId);
            LOG.debug("Nobody was created", getCause());
            event.event(EventType.REGISTER)
                    .client(client)
                    .detail(Details.USERNAME, username)
                    .detail(Details.REASON, "trial_creation_failed")
                    .detail(RequestId.EVENT_DETAIL, requestId)
                    .error(Errors.INVALID_REGISTRATION);
        }
    }
}
