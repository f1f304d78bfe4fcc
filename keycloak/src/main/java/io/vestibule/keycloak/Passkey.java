package io.vestibule.keycloak;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;

import jakarta.ws.rs.WebApplicationException;
import jakarta.ws.rs.core.MultivaluedMap;
import jakarta.ws.rs.core.Response;
import org.keycloak.WebAuthnConstants;
import org.keycloak.authentication.FormContext;
import org.keycloak.authentication.RequiredActionProvider;
import org.keycloak.authentication.forms.RegistrationPage;
import org.keycloak.authentication.requiredactions.WebAuthnPasswordlessRegisterFactory;
import org.keycloak.common.util.Base64Url;
import org.keycloak.common.util.SecretGenerator;
import org.keycloak.events.EventBuilder;
import org.keycloak.events.EventType;
import org.keycloak.forms.login.LoginFormsProvider;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.RealmModel;
import org.keycloak.models.UserModel;
import org.keycloak.models.utils.FormMessage;
import org.keycloak.sessions.AuthenticationSessionModel;

/**
 * A passkey in place of the password, on the locked form. The form is posted twice: first without the passkey, and
 * answered with a page that has it made for an account of an id that is not there yet; then with it, and Keycloak's own
 * required action judges and keeps it in the transaction that makes the account.
 */
final class Passkey {

    static final String FIELD = "trial-passkey";
    static final String CREATE = "create";

    private static final String TEMPLATE = "trial-passkey.ftl";
    private static final String SCRIPT = "js/vestibule-passkey.js";
    private static final String DECISION = "decision";
    private static final String USER_NOTE = "vestibule.passkey.user";
    private static final String CHALLENGE_NOTE = "vestibule.passkey.challenge";
    private static final int CHALLENGE_BYTES = 32;
    /** What says that it was made. */
    private static final List<String> MADE = List.of(WebAuthnConstants.CLIENT_DATA_JSON, WebAuthnConstants.ATTESTATION_OBJECT, WebAuthnConstants.PUBLIC_KEY_CREDENTIAL_ID);
    /** Nothing of the person's: never an attribute of the account, and not posted again. */
    private static final Set<String> NOT_KEPT = Set.of(
            WebAuthnConstants.CLIENT_DATA_JSON, WebAuthnConstants.ATTESTATION_OBJECT, WebAuthnConstants.PUBLIC_KEY_CREDENTIAL_ID,
            WebAuthnConstants.AUTHENTICATOR_LABEL, WebAuthnConstants.TRANSPORTS, "authenticatorAttachment", WebAuthnConstants.ERROR,
            WebAuthnConstants.IS_SET_RETRY, StandInAction.LOGOUT_SESSIONS, DECISION, FIELD);

    private Passkey() {
    }

    /**
     * What the form needs to offer one. Challenge and account are made here, and not with the page that uses them: Keycloak
     * rolls back what comes with a page that is thrown.
     *
     * @return the script that shows and hides, or nothing where passkeys are not offered
     */
    static Optional<String> offer(FormContext context, String formFlowId) {
        if (!PasskeyOffer.isMade(context.getSession(), context.getRealm(), formFlowId)) {
            return Optional.empty();
        }
        AuthenticationSessionModel authSession = context.getAuthenticationSession();
        // Once: whoever tries again has their device replace the passkey of before, and a reload spoils no page that is open.
        if (authSession.getAuthNote(USER_NOTE) == null) {
            authSession.setAuthNote(CHALLENGE_NOTE, Base64Url.encode(SecretGenerator.getInstance().randomBytes(CHALLENGE_BYTES)));
            authSession.setAuthNote(USER_NOTE, UUID.randomUUID().toString());
        }
        return Optional.of(SCRIPT);
    }

    /** In a form action: this post is of somebody invited who has, or is to have, a passkey and no password. */
    static boolean isChosen(FormContext context) {
        AuthenticationSessionModel authSession = context.getAuthenticationSession();
        return posted(context).getOrDefault(FIELD, List.of()).contains(CREATE)
                && Invitation.of(authSession).isPresent()
                && authSession.getAuthNote(USER_NOTE) != null
                && PasskeyOffer.isMade(context.getSession(), context.getRealm(), context.getExecution().getParentFlow());
    }

    /** The account's, chosen before there is one: the passkey carries it. */
    static String userIdIn(AuthenticationSessionModel authSession) {
        return authSession.getAuthNote(USER_NOTE);
    }

    static void removeFrom(MultivaluedMap<String, String> formData) {
        NOT_KEPT.forEach(formData::remove);
    }

    /** Throws the page that has it made, or the form for whoever thought better of it; returns where it is made. */
    static void require(FormContext context, Invitation invitation) {
        MultivaluedMap<String, String> posted = posted(context);
        if (thinksBetter(posted)) {
            throw FormAgain.because(context, null);
        }
        boolean made = MADE.stream().allMatch(name -> posted.getFirst(name) != null && !posted.getFirst(name).isBlank());
        if (!made) {
            throw FormAgain.instead(context, form -> page(context, invitation, form));
        }
    }

    /** Whether the form is shown with the box ticked, as its field's values. */
    static List<String> ticked(MultivaluedMap<String, String> posted) {
        return thinksBetter(posted) ? List.of() : posted.getOrDefault(FIELD, List.of());
    }

    private static boolean thinksBetter(MultivaluedMap<String, String> posted) {
        return "password".equals(posted.getFirst(DECISION));
    }

    private static Response page(FormContext context, Invitation invitation, LoginFormsProvider form) {
        AuthenticationSessionModel authSession = context.getAuthenticationSession();
        List<Map<String, String>> kept = new ArrayList<>();
        posted(context).forEach((name, values) -> {
            if (!NOT_KEPT.contains(name) && !RegistrationPage.FIELD_PASSWORD.equals(name) && !RegistrationPage.FIELD_PASSWORD_CONFIRM.equals(name)) {
                values.forEach(value -> kept.add(Map.of("name", name, "value", value == null ? "" : value)));
            }
        });
        form.setAttribute("trialInvited", invitation.username()).setAttribute("trialKept", kept).setAttributeMapper(attributes -> {
            attributes.remove("auth");
            FormAssets.addTo(attributes, SCRIPT);
            return attributes;
        });
        String challenge = authSession.getAuthNote(CHALLENGE_NOTE);
        StandInAction stand = new StandInAction(context, challenge, StandInAction.futureUser(userIdIn(authSession), invitation.username()),
                StandInAction.formWith(form, TEMPLATE, page -> page.setAttribute(WebAuthnConstants.CHALLENGE, challenge)), null);
        keycloaks(context.getSession()).requiredActionChallenge(stand.context());
        return stand.challenge();
    }

    /** Judges it by the realm's policy, and gives it to the user. */
    static void store(FormContext context, UserModel user) throws TrialAccount.Failed {
        KeycloakSession session = context.getSession();
        RealmModel realm = context.getRealm();
        AuthenticationSessionModel authSession = context.getAuthenticationSession();
        EventBuilder event = new EventBuilder(realm, session, context.getConnection()).event(EventType.UPDATE_CREDENTIAL)
                .client(authSession.getClient()).user(user).detail(RequestId.EVENT_DETAIL, RequestId.of(authSession));
        LoginFormsProvider form = StandInAction.formWith(session.getProvider(LoginFormsProvider.class), TEMPLATE, page -> { });
        StandInAction stand = new StandInAction(context, authSession.getAuthNote(CHALLENGE_NOTE), user, form, event);
        try {
            keycloaks(session).processAction(stand.context());
        } catch (IllegalArgumentException e) {
            throw new TrialAccount.Failed(new FormMessage(null, "trialPasskeyFailed"), "what was posted is no passkey", e);
        }
        if (!stand.hasSucceeded()) {
            throw new TrialAccount.Failed("trialPasskeyFailed", "the passkey does not keep to the realm's policy, or was made for another page");
        }
        // Where it is asked of everybody.
        user.removeRequiredAction(WebAuthnPasswordlessRegisterFactory.PROVIDER_ID);
    }

    private static RequiredActionProvider keycloaks(KeycloakSession session) {
        return session.getProvider(RequiredActionProvider.class, WebAuthnPasswordlessRegisterFactory.PROVIDER_ID);
    }

    private static MultivaluedMap<String, String> posted(FormContext context) {
        return context.getHttpRequest().getDecodedFormParameters();
    }
}
