package io.vestibule.keycloak;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;

import jakarta.ws.rs.core.MultivaluedHashMap;
import jakarta.ws.rs.core.MultivaluedMap;
import jakarta.ws.rs.core.Response;
import org.keycloak.WebAuthnConstants;
import org.keycloak.authentication.FormContext;
import org.keycloak.authentication.RequiredActionContext;
import org.keycloak.credential.CredentialModel;
import org.keycloak.events.EventBuilder;
import org.keycloak.forms.login.LoginFormsProvider;
import org.keycloak.http.HttpRequest;
import org.keycloak.models.SubjectCredentialManager;
import org.keycloak.models.UserModel;
import org.keycloak.sessions.AuthenticationSessionModel;

/**
 * What a required action of Keycloak is called with, on the registration form: before there is a user, and in the
 * transaction that makes one. Only what the making of a passkey needs is there.
 */
final class StandInAction {

    static final String LOGOUT_SESSIONS = "logout-sessions";

    // Our page asks for none of it.
    private static final List<String> OF_KEYCLOAKS_OWN_PAGE = List.of(WebAuthnConstants.ERROR, WebAuthnConstants.IS_SET_RETRY, LOGOUT_SESSIONS);

    private final FormContext context;
    private final String challengeNote;
    private final UserModel user;
    private final LoginFormsProvider form;
    private final EventBuilder event;
    private Response challenge;
    private boolean succeeded;

    /**
     * @param challengeNote the challenge that was given out; the login form may have put another into the session since
     * @param event         may be null where nothing is told
     */
    StandInAction(FormContext context, String challengeNote, UserModel user, LoginFormsProvider form, EventBuilder event) {
        this.context = context;
        this.challengeNote = challengeNote;
        this.user = user;
        this.form = form;
        this.event = event;
    }

    RequiredActionContext context() {
        return as(RequiredActionContext.class, (method, arguments) -> switch (method) {
            case "getRealm" -> context.getRealm();
            case "getSession" -> context.getSession();
            case "getAuthenticationSession" -> authenticationSession();
            case "getConnection" -> context.getConnection();
            case "getUriInfo" -> context.getUriInfo();
            case "getHttpRequest" -> httpRequest();
            case "getUser" -> user;
            case "getEvent" -> event;
            case "form" -> form;
            case "getConfig" -> null;
            case "challenge" -> {
                challenge = (Response) arguments[0];
                yield null;
            }
            case "success" -> {
                succeeded = true;
                yield null;
            }
            case "failure", "cancel", "ignore" -> null;
            default -> throw missing(RequiredActionContext.class, method);
        });
    }

    private HttpRequest httpRequest() {
        return through(HttpRequest.class, context.getHttpRequest(), (method, arguments, straight) -> {
            if (!"getDecodedFormParameters".equals(method)) {
                return straight.call();
            }
            MultivaluedMap<String, String> posted = new MultivaluedHashMap<>(context.getHttpRequest().getDecodedFormParameters());
            OF_KEYCLOAKS_OWN_PAGE.forEach(posted::remove);
            return posted;
        });
    }

    /** Two requests of one session may be here at once: neither takes the other's challenge away. */
    private AuthenticationSessionModel authenticationSession() {
        return through(AuthenticationSessionModel.class, context.getAuthenticationSession(), (method, arguments, straight) -> {
            if (method.endsWith("AuthNote") && WebAuthnConstants.AUTH_CHALLENGE_NOTE.equals(arguments[0])) {
                return "getAuthNote".equals(method) ? challengeNote : null;
            }
            return straight.call();
        });
    }

    Response challenge() {
        return challenge;
    }

    boolean hasSucceeded() {
        return succeeded;
    }

    /** Somebody who is to be, and has no credential yet. */
    static UserModel futureUser(String id, String username) {
        SubjectCredentialManager none = as(SubjectCredentialManager.class, (method, arguments) -> switch (method) {
            case "getStoredCredentialsByTypeStream", "getStoredCredentialsStream" -> Stream.<CredentialModel>empty();
            default -> throw missing(SubjectCredentialManager.class, method);
        });
        return as(UserModel.class, (method, arguments) -> switch (method) {
            case "getId" -> id;
            case "getUsername", "getEmail" -> username;
            case "credentialManager" -> none;
            default -> throw missing(UserModel.class, method);
        });
    }

    /** The form, with another template for the action's own; no error page is made. */
    static LoginFormsProvider formWith(LoginFormsProvider form, String template, Consumer<LoginFormsProvider> last) {
        return through(LoginFormsProvider.class, form, (method, arguments, straight) -> switch (method) {
            case "createForm" -> {
                last.accept(form);
                yield form.createForm(template);
            }
            case "createWebAuthnErrorPage" -> null;
            default -> straight.call();
        });
    }

    private static IllegalStateException missing(Class<?> type, String method) {
        return new IllegalStateException("A passkey is made without " + type.getSimpleName() + "." + method);
    }

    private static <T> T as(Class<T> type, Calls calls) {
        return type.cast(Proxy.newProxyInstance(StandInAction.class.getClassLoader(), new Class<?>[] {type}, (proxy, method, arguments) ->
                switch (method.getName()) {
                    case "toString" -> "stand-in " + type.getSimpleName();
                    case "hashCode" -> System.identityHashCode(proxy);
                    case "equals" -> proxy == arguments[0];
                    default -> calls.to(method.getName(), arguments);
                }));
    }

    /** The real one, but for a detour. */
    private static <T> T through(Class<T> type, T real, Detour detour) {
        return type.cast(Proxy.newProxyInstance(StandInAction.class.getClassLoader(), new Class<?>[] {type}, (proxy, method, arguments) ->
                detour.to(method.getName(), arguments, () -> {
                    try {
                        Object answer = method.invoke(real, arguments);
                        return answer == real ? proxy : answer;
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                })));
    }

    private interface Detour {

        Object to(String method, Object[] arguments, Call straight) throws Throwable;
    }

    private interface Call {

        Object call() throws Throwable;
    }

    private interface Calls {

        Object to(String method, Object[] arguments);
    }
}
