package io.vestibule.keycloak;

import java.util.List;
import java.util.Map;
import java.util.Optional;

import jakarta.ws.rs.core.MultivaluedHashMap;
import jakarta.ws.rs.core.MultivaluedMap;
import org.jboss.logging.Logger;
import org.keycloak.authentication.FormContext;
import org.keycloak.authentication.ValidationContext;
import org.keycloak.authentication.forms.RegistrationUserCreation;
import org.keycloak.events.Details;
import org.keycloak.events.Errors;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.UserModel;
import org.keycloak.models.utils.FormMessage;
import org.keycloak.userprofile.DefaultUserProfile;
import org.keycloak.userprofile.UserProfile;
import org.keycloak.userprofile.UserProfileContext;
import org.keycloak.userprofile.UserProfileMetadata;

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

    @Override
    public void validate(ValidationContext context) {
        String requestId = RequestId.of(context.getAuthenticationSession());
        context.getEvent().detail(RequestId.EVENT_DETAIL, requestId);
        MultivaluedMap<String, String> formData = context.getHttpRequest().getDecodedFormParameters();

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
        MultivaluedMap<String, String> locked = new MultivaluedHashMap<>(formData);
        // On a realm with unmanaged attributes the form could otherwise bring its own stamp.
        locked.remove(TrialStamp.ATTRIBUTE);
        if (invitation.isEmpty()) {
            return super.getOrCreateUserProfile(context, locked);
        }
        ADDRESS_FIELDS.forEach(field -> locked.putSingle(field, invitation.get().username()));
        // The bridge's, and no attributes of the user, not even on a realm that takes unmanaged ones.
        invitation.get().questions().forEach(question -> locked.remove(question.field()));
        Passkey.removeFrom(locked);
        UserProfile profile = super.getOrCreateUserProfile(context, locked);
        return Passkey.isChosen(context) ? withId(context, profile, Passkey.userIdIn(context.getAuthenticationSession())) : profile;
    }

    /** Keycloak's own, but for the id of the user that it makes. */
    private static UserProfile withId(FormContext context, UserProfile profile, String id) {
        KeycloakSession session = context.getSession();
        return new DefaultUserProfile(new UserProfileMetadata(UserProfileContext.REGISTRATION), profile.getAttributes(),
                attributes -> session.users().addUser(context.getRealm(), id, attributes.getFirst(UserModel.USERNAME), true, true), null, session);
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
        boolean passkey = Passkey.isChosen(context);
        if (passkey) {
            Passkey.require(context, invitation.get());
        }
        try {
            TrialAccount account = TrialAccount.of(context.getSession(), invitation.get(), StepConfig.of(context.getAuthenticatorConfig()), requestId);
            UserModel user = account.insert(context.getConnection(), () -> {
                super.success(context);
                return context.getUser();
            });
            if (passkey) {
                Passkey.store(context, user);
            }
            account.provision(user, Answers.in(context.getHttpRequest().getDecodedFormParameters(), invitation.get().questions()));
        } catch (TrialAccount.Failed e) {
            e.tell(context.newEvent(), context.getAuthenticationSession().getClient(), invitation.get().username(), requestId);
            throw FormAgain.because(context, e.shown());
        }
    }

    /** Of the group that stamped users join. */
    static String groupPath(Map<String, String> config) {
        return config.getOrDefault(StepConfig.GROUP, "").isBlank() ? DEFAULT_GROUP : config.get(StepConfig.GROUP).strip();
    }
}
