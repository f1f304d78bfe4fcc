package io.vestibule.keycloak;

import java.util.Optional;
import java.util.concurrent.TimeUnit;

import org.keycloak.authentication.AuthenticationFlowContext;
import org.keycloak.authentication.actiontoken.resetcred.ResetCredentialsActionToken;
import org.keycloak.authentication.authenticators.browser.AbstractUsernameFormAuthenticator;
import org.keycloak.common.util.Time;
import org.keycloak.email.EmailException;
import org.keycloak.email.EmailTemplateProvider;
import org.keycloak.events.Details;
import org.keycloak.events.Errors;
import org.keycloak.events.Event;
import org.keycloak.events.EventBuilder;
import org.keycloak.events.EventType;
import org.keycloak.http.HttpRequest;
import org.keycloak.models.ClientModel;
import org.keycloak.models.KeycloakContext;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.RealmModel;
import org.keycloak.models.UserModel;
import org.keycloak.sessions.AuthenticationSessionCompoundId;
import org.keycloak.sessions.AuthenticationSessionModel;
import org.keycloak.sessions.RootAuthenticationSessionModel;

/**
 * Somebody forgot a password: what Keycloak's own steps look up, make and send in the request, as values, so that it can
 * be done after the answer and more than once. Mail, link and events are those of {@code ResetCredentialChooseUser} and
 * {@code ResetCredentialEmail}.
 *
 * @param userId   of somebody who is signed in; null when a name was typed, which is then looked up
 * @param username as typed
 * @param link     with a place for the token
 * @param asked    the request's event, for address, client and details
 */
record ResetMail(String realmId, String userId, String username, String clientUuid, String rootSessionId, String tabId,
                 String sessionCompoundId, String link, HttpRequest request, Event asked, String requestId) {

    private static final String TOKEN_GOES_HERE = "vestibule-token";

    /** Looks at nothing that depends on the person. */
    static ResetMail askedFor(AuthenticationFlowContext context) {
        AuthenticationSessionModel authSession = context.getAuthenticationSession();
        return new ResetMail(context.getRealm().getId(),
                context.getUser() == null ? null : context.getUser().getId(),
                authSession.getAuthNote(AbstractUsernameFormAuthenticator.ATTEMPTED_USERNAME),
                authSession.getClient().getId(), authSession.getParentSession().getId(), authSession.getTabId(),
                AuthenticationSessionCompoundId.fromAuthSession(authSession).getEncodedId(),
                context.getActionTokenUrl(TOKEN_GOES_HERE).toString(),
                RequestMemory.of(context.getHttpRequest()),
                context.getEvent().getEvent().clone(),
                RequestId.of(authSession));
    }

    /**
     * Does it all, once. The event says what came of it.
     *
     * @param session one of its own, in a transaction
     * @return why the mail could not be sent, which may be tried again; empty when it was sent or nobody is to get one
     */
    Optional<EmailException> send(KeycloakSession session) {
        RealmModel realm = session.realms().getRealm(realmId);
        ClientModel client = realm == null ? null : session.clients().getClientById(realm, clientUuid);
        if (client == null) {
            return Optional.empty();
        }
        AuthenticationSessionModel authSession = enter(session, realm, client);
        UserModel user = userId == null ? find(session, realm) : session.users().getUserById(realm, userId);
        if (user == null) {
            event(session, realm).error(Errors.USER_NOT_FOUND);
        } else if (!user.isEnabled()) {
            event(session, realm).user(user).error(Errors.USER_DISABLED);
        } else if (user.getEmail() == null || user.getEmail().isBlank()) {
            event(session, realm).user(user).error(Errors.INVALID_EMAIL);
        } else {
            return send(session, realm, client, authSession, user);
        }
        return Optional.empty();
    }

    private Optional<EmailException> send(KeycloakSession session, RealmModel realm, ClientModel client, AuthenticationSessionModel authSession, UserModel user) {
        int validSeconds = realm.getActionTokenGeneratedByUserLifespan(ResetCredentialsActionToken.TOKEN_TYPE);
        long expires = Time.currentTimeMillis() / 1_000 + validSeconds;
        String token = new ResetCredentialsActionToken(user.getId(), user.getEmail(), Math.toIntExact(expires), sessionCompoundId, client.getClientId())
                .serialize(session, realm, session.getContext().getUri());
        EventBuilder event = event(session, realm).event(EventType.SEND_RESET_PASSWORD).user(user);
        try {
            session.getProvider(EmailTemplateProvider.class).setRealm(realm).setUser(user).setAuthenticationSession(authSession)
                    .sendPasswordReset(link.replace(TOKEN_GOES_HERE, token), TimeUnit.SECONDS.toMinutes(validSeconds));
        } catch (EmailException e) {
            event.detail(Details.REASON, e.getMessage()).error(Errors.EMAIL_SEND_FAILED);
            return Optional.of(e);
        }
        event.detail(Details.EMAIL, user.getEmail()).detail(Details.CODE_ID, rootSessionId).success();
        return Optional.empty();
    }

    /** Themes, languages and links are made for what the session's context says. The authentication session may be over by now. */
    private AuthenticationSessionModel enter(KeycloakSession session, RealmModel realm, ClientModel client) {
        KeycloakContext context = session.getContext();
        context.setHttpRequest(request);
        context.setRealm(realm);
        context.setClient(client);
        RootAuthenticationSessionModel root = session.authenticationSessions().getRootAuthenticationSession(realm, rootSessionId);
        AuthenticationSessionModel authSession = root == null ? null : root.getAuthenticationSession(client, tabId);
        if (authSession != null) {
            context.setAuthenticationSession(authSession);
        }
        return authSession;
    }

    // As ResetCredentialChooseUser.action looks.
    private UserModel find(KeycloakSession session, RealmModel realm) {
        if (username == null) {
            return null;
        }
        UserModel user = session.users().getUserByUsername(realm, username);
        return user == null && realm.isLoginWithEmailAllowed() && username.contains("@") ? session.users().getUserByEmail(realm, username) : user;
    }

    private EventBuilder event(KeycloakSession session, RealmModel realm) {
        EventBuilder event = new EventBuilder(realm, session).event(asked.getType()).client(asked.getClientId())
                .session(asked.getSessionId()).ipAddress(asked.getIpAddress());
        if (asked.getDetails() != null) {
            asked.getDetails().forEach(event::detail);
        }
        return event.detail(Details.USERNAME, username).detail(RequestId.EVENT_DETAIL, requestId);
    }
}
