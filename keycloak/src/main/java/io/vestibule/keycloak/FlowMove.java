package io.vestibule.keycloak;

import java.io.IOException;
import java.net.URI;

import jakarta.ws.rs.core.Response;
import org.keycloak.authentication.AuthenticationFlowContext;
import org.keycloak.authentication.AuthenticationProcessor;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.utils.FormMessage;
import org.keycloak.protocol.AuthorizationEndpointBase;
import org.keycloak.protocol.oidc.OIDCLoginProtocol;
import org.keycloak.services.resources.LoginActionsService;
import org.keycloak.services.util.AuthenticationFlowURLHelper;
import org.keycloak.sessions.AuthenticationSessionModel;
import org.keycloak.util.JsonSerialization;

/** Takes an authentication session from the registration flow to another flow, or to its own start. */
final class FlowMove {

    // AuthenticationProcessor.ForwardedFormMessageType.INFO, private there: the login form shows and removes it.
    private static final String FORWARDED_INFO_MESSAGE = "fwMessageInfo";

    private FlowMove() {
    }

    /**
     * To the browser flow: whoever is signed in goes on into the app, everybody else sees the login form.
     *
     * @param infoKey   one line for the login form, or null
     * @param loginHint address to prefill, or null
     */
    static void toSignIn(AuthenticationFlowContext context, String infoKey, String loginHint) {
        AuthenticationSessionModel authSession = context.getAuthenticationSession();
        String requestId = RequestId.of(authSession);
        AuthenticationProcessor.resetFlow(authSession, LoginActionsService.AUTHENTICATE_PATH);
        RequestId.keep(authSession, requestId);
        Invitation.forgetToken(authSession);
        // Both would lead a restarted or timed-out session back to the registration flow.
        authSession.removeClientNote(OIDCLoginProtocol.PROMPT_PARAM);
        authSession.removeClientNote(AuthorizationEndpointBase.APP_INITIATED_FLOW);
        if (loginHint != null) {
            authSession.setClientNote(OIDCLoginProtocol.LOGIN_HINT_PARAM, loginHint);
        }
        if (infoKey != null) {
            authSession.setAuthNote(FORWARDED_INFO_MESSAGE, json(new FormMessage(infoKey)));
        }
        context.forceChallenge(redirect(context, authSession, LoginActionsService.AUTHENTICATE_PATH));
    }

    /** To the start of the registration flow, in an authentication session of a new id. */
    static void toNewRegistration(AuthenticationFlowContext context) {
        KeycloakSession session = context.getSession();
        AuthenticationSessionModel fresh = AuthenticationProcessor.recreate(session, context.getAuthenticationSession());
        AuthenticationProcessor.resetFlow(fresh, LoginActionsService.REGISTRATION_PATH);
        context.forceChallenge(redirect(context, fresh, LoginActionsService.REGISTRATION_PATH));
    }

    /** From an identity provider to the registration form, with the same invitation. */
    static void toForm(AuthenticationFlowContext context) {
        AuthenticationSessionModel authSession = context.getAuthenticationSession();
        String requestId = RequestId.of(authSession);
        AuthenticationProcessor.resetFlow(authSession, LoginActionsService.REGISTRATION_PATH);
        RequestId.keep(authSession, requestId);
        toStartOf(context, LoginActionsService.REGISTRATION_PATH);
    }

    /** A page anew, from the first step that was not taken. */
    static void toStartOf(AuthenticationFlowContext context, String flowPath) {
        context.forceChallenge(redirect(context, context.getAuthenticationSession(), flowPath));
    }

    private static Response redirect(AuthenticationFlowContext context, AuthenticationSessionModel authSession, String flowPath) {
        URI target = new AuthenticationFlowURLHelper(context.getSession(), context.getRealm(), context.getUriInfo())
                .getLastExecutionUrl(flowPath, null, authSession.getClient().getClientId(), authSession.getTabId(),
                        AuthenticationProcessor.getClientData(context.getSession(), authSession));
        return Response.status(Response.Status.FOUND).location(target).build();
    }

    private static String json(FormMessage message) {
        try {
            return JsonSerialization.writeValueAsString(message);
        } catch (IOException e) {
            throw new IllegalStateException("A message key is always JSON", e);
        }
    }
}
