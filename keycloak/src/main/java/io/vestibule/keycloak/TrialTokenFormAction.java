package io.vestibule.keycloak;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;

import jakarta.ws.rs.core.MultivaluedHashMap;
import jakarta.ws.rs.core.MultivaluedMap;
import org.jboss.logging.Logger;
import org.keycloak.authentication.FormContext;
import org.keycloak.authentication.ValidationContext;
import org.keycloak.authentication.forms.RegistrationUserCreation;
import org.keycloak.events.Details;
import org.keycloak.events.Errors;
import org.keycloak.events.EventType;
import org.keycloak.models.GroupModel;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.ModelDuplicateException;
import org.keycloak.models.RealmModel;
import org.keycloak.models.RoleModel;
import org.keycloak.models.UserModel;
import org.keycloak.models.utils.FormMessage;
import org.keycloak.models.utils.KeycloakModelUtils;
import org.keycloak.userprofile.UserProfile;
import org.keycloak.userprofile.ValidationException;

/**
 * Accepts the invited address and no other, creates the user, and has the trial provisioned by the bridge before
 * Keycloak's transaction commits. A creation that fails leaves no user and shows the form again.
 *
 * <h2>Placement</h2>
 * First action of the form-flow after TrialTokenAuthenticator, REQUIRED, in place of {@code registration-user-creation}:
 * the actions after it (password, terms) need the user it makes. The password action must follow it, so that no password
 * is hashed for a registration that the bridge refuses.
 */
final class TrialTokenFormAction extends RegistrationUserCreation {

    static final String DEFAULT_GROUP = "/vestibule-trials";

    private static final Logger LOG = Logger.getLogger(TrialTokenFormAction.class);
    private static final List<String> ADDRESS_FIELDS = List.of(UserModel.USERNAME, UserModel.EMAIL);
    private static final Set<String> KNOWN_REFUSALS = Set.of(
            "invitation_expired", "invitation_revoked", "invitation_spent", "invitation_unknown", "username_mismatch");

    @Override
    public void validate(ValidationContext context) {
        String requestId = RequestId.of(context.getAuthenticationSession());
        context.getEvent().detail(RequestId.EVENT_DETAIL, requestId);
        MultivaluedMap<String, String> formData = context.getHttpRequest().getDecodedFormParameters();
        // On a realm with unmanaged attributes the form could otherwise bring its own stamp.
        formData.remove(TrialStamp.ATTRIBUTE);

        Optional<Invitation> invitation = Invitation.of(context.getAuthenticationSession());
        if (invitation.isEmpty()) {
            validateOrdinary(context, formData);
            return;
        }
        String address = invitation.get().username();
        for (String field : ADDRESS_FIELDS) {
            if (formData.getOrDefault(field, List.of()).stream().anyMatch(posted -> !address.equals(posted))) {
                // Where the e-mail is the username, the form has no username field to show the message at.
                String shown = context.getRealm().isRegistrationEmailAsUsername() ? UserModel.EMAIL : field;
                refuse(context, formData, "trial_address_changed", new FormMessage(shown, "trialAddressLocked"));
                return;
            }
        }
        // A disabled input is not posted. Later readers of the form (event, password policy) need the address.
        ADDRESS_FIELDS.forEach(field -> formData.putSingle(field, address));

        Optional<SignedIn> other = SignedIn.bySession(context.getSession(), context.getRealm(), context.getAuthenticationSession());
        if (other.isPresent()) {
            refuse(context, formData, "trial_other_person", new FormMessage(null, "trialOtherPersonMeanwhile", other.get().user().getUsername()));
            return;
        }
        AddressHolders holders = AddressHolders.of(context.getSession(), context.getRealm(), address);
        if (holders.isKnown()) {
            refuse(context, formData, "trial_address_taken", new FormMessage(null, "trialAddressTaken"));
            return;
        }
        super.validate(AmendedValidation.around(context, Answers.faults(formData, invitation.get().questions()), !holders.isEmpty()));
    }

    private void validateOrdinary(ValidationContext context, MultivaluedMap<String, String> formData) {
        if (Invitation.isOrdinaryAllowed(context.getAuthenticationSession())) {
            super.validate(context);
        } else {
            LOG.errorf("The step %s stands without %s before it: nobody can register",
                    TrialTokenFormActionFactory.PROVIDER_ID, TrialTokenAuthenticatorFactory.PROVIDER_ID);
            refuse(context, formData, "trial_misconfigured", new FormMessage(null, "trialMisconfigured"));
        }
    }

    private static void refuse(ValidationContext context, MultivaluedMap<String, String> formData, String reason, FormMessage message) {
        context.getEvent().detail(Details.REASON, reason);
        context.error(Errors.INVALID_REGISTRATION);
        context.validationError(FormAgain.withoutPasswords(formData), List.of(message));
    }

    /** The one place through which validation and creation get their data, on every Keycloak version. */
    @Override
    public UserProfile getOrCreateUserProfile(FormContext context, MultivaluedMap<String, String> formData) {
        Optional<Invitation> invitation = Invitation.of(context.getAuthenticationSession());
        if (invitation.isEmpty()) {
            return super.getOrCreateUserProfile(context, formData);
        }
        MultivaluedMap<String, String> locked = new MultivaluedHashMap<>(formData);
        ADDRESS_FIELDS.forEach(field -> locked.putSingle(field, invitation.get().username()));
        // The bridge's, and no attributes of the user, not even on a realm that takes unmanaged ones.
        invitation.get().questions().forEach(question -> locked.remove(question.field()));
        return super.getOrCreateUserProfile(context, locked);
    }

    @Override
    public void success(FormContext context) {
        Optional<Invitation> invitation = Invitation.of(context.getAuthenticationSession());
        if (invitation.isEmpty()) {
            super.success(context);
            return;
        }
        String requestId = RequestId.of(context.getAuthenticationSession());
        context.getEvent().detail(RequestId.EVENT_DETAIL, requestId);
        Map<String, String> config = StepConfig.of(context.getAuthenticatorConfig());
        BridgeSettings settings;
        try {
            settings = BridgeSettings.from(config, System.getenv());
        } catch (Misconfigured e) {
            throw failed(context, "trialMisconfigured", "the step " + TrialTokenFormActionFactory.PROVIDER_ID + " is not configured: " + e.getMessage(), null);
        }

        UserModel user = insert(context, invitation.get(), requestId);
        // The invitation reached this address and came back: that is the proof.
        user.setEmailVerified(true);
        user.removeRequiredAction(UserModel.RequiredAction.VERIFY_EMAIL);
        stamp(context, user, config, provision(context, settings, invitation.get(), user, requestId));
    }

    private UserModel insert(FormContext context, Invitation invitation, String requestId) {
        try {
            AddressHolders holders = AddressHolders.of(context.getSession(), context.getRealm(), invitation.username());
            if (holders.isKnown()) {
                throw failed(context, "trialAddressTaken", "the address has an account by now", null);
            }
            holders.setAside(context.getConnection(), requestId);
            super.success(context);
        } catch (ModelDuplicateException | ValidationException e) {
            // Two submits at once: the other one was first.
            throw failed(context, "trialAddressTaken", "the address has an account by now", e);
        }
        UserModel user = context.getUser();
        if (!invitation.username().equals(user.getUsername())) {
            throw failed(context, "trialFailed", "Keycloak's username is not the invited address byte for byte", null);
        }
        return user;
    }

    private Creation.Granted provision(FormContext context, BridgeSettings settings, Invitation invitation, UserModel user, String requestId) {
        KeycloakSession session = context.getSession();
        BridgeClient bridge = BridgeClient.of(session, settings, requestId);
        String attemptId = UUID.randomUUID().toString();
        session.getTransactionManager().enlistAfterCompletion(started(new OutcomeReport(bridge, attemptId, user.getId())));
        Answers answers = Answers.in(context.getHttpRequest().getDecodedFormParameters(), invitation.questions());
        Creation answer = bridge.create(new Creation.Request(invitation.token(), invitation.username(), user.getId(), attemptId,
                user.getFirstName(), user.getLastName(), session.getContext().resolveLocale(user).toLanguageTag(), answers));
        if (answer instanceof Creation.Granted granted) {
            return granted;
        }
        if (answer instanceof Creation.Refused refused) {
            String key = KNOWN_REFUSALS.contains(refused.code()) ? "trialFailed." + refused.code() : "trialFailed";
            throw failed(context, key, "the bridge refused the creation: " + refused.code(), null);
        }
        if (answer instanceof Creation.Unanswered unanswered) {
            boolean shown = invitation.questions().stream().anyMatch(question -> question.field().equals(unanswered.field()) && !question.asksConsent());
            FormMessage message = shown ? new FormMessage(unanswered.field(), "trialAnswerRefused") : new FormMessage(null, "trialAsksAnew");
            throw failed(context, message, "the bridge does not take what was answered to " + unanswered.field(), null);
        }
        throw failed(context, "trialFailed", "the bridge did not answer to creation: " + ((Creation.NoAnswer) answer).cause(), null);
    }

    private static OutcomeReport started(OutcomeReport report) {
        report.begin();
        return report;
    }

    private void stamp(FormContext context, UserModel user, Map<String, String> config, Creation.Granted granted) {
        List<String> refusals = AllowList.from(config).refusals(granted);
        if (!refusals.isEmpty()) {
            throw failed(context, "trialFailed", "the bridge asked for what " + AllowList.ROLES + " and " + AllowList.ATTRIBUTES + " don't hold: " + refusals, null);
        }
        RealmModel realm = context.getRealm();
        granted.attributes().forEach((name, values) -> user.setAttribute(name,
                TrialStamp.ATTRIBUTE.equals(name) ? TrialStamp.merge(user.getAttributeStream(name).toList(), born(values, granted.roles())) : values));
        for (String name : granted.roles()) {
            RoleModel role = realm.getRole(name);
            if (role == null) {
                throw failed(context, "trialFailed", "the realm has no role " + name, null);
            }
            user.grantRole(role);
        }
        if (granted.attributes().containsKey(TrialStamp.ATTRIBUTE)) {
            String path = groupPath(config);
            GroupModel group = KeycloakModelUtils.findGroupByPath(context.getSession(), realm, path);
            if (group == null) {
                throw failed(context, "trialFailed", "the realm has no group " + path + ", by which trial users are found", null);
            }
            user.joinGroup(group);
        }
    }

    /** This account is the trial's own: who erases the trial may delete it. */
    private static List<String> born(List<String> values, List<String> roles) {
        return values.stream().map(value -> StampEntry.read(value).map(entry -> entry.with(entry.version(), true, roles).text()).orElse(value)).toList();
    }

    /** Of the group that stamped users join. */
    static String groupPath(Map<String, String> config) {
        return config.getOrDefault(StepConfig.GROUP, "").isBlank() ? DEFAULT_GROUP : config.get(StepConfig.GROUP).strip();
    }

    private static RuntimeException failed(FormContext context, String messageKey, String why, Exception cause) {
        return failed(context, new FormMessage(null, messageKey), why, cause);
    }

    private static RuntimeException failed(FormContext context, FormMessage message, String why, Exception cause) {
        String requestId = RequestId.of(context.getAuthenticationSession());
        LOG.errorf("Nobody was created: %s. request_id=%s", why, requestId);
        LOG.debug("Nobody was created", cause);
        context.newEvent().event(EventType.REGISTER)
                .client(context.getAuthenticationSession().getClient())
                .detail(Details.USERNAME, context.getHttpRequest().getDecodedFormParameters().getFirst(UserModel.EMAIL))
                .detail(Details.REASON, "trial_creation_failed")
                .detail(RequestId.EVENT_DETAIL, requestId)
                .error(Errors.INVALID_REGISTRATION);
        return FormAgain.because(context, message);
    }
}
