package io.vestibule.keycloak;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.function.Consumer;

import jakarta.ws.rs.core.Response;
import org.keycloak.authentication.FormContext;
import org.keycloak.authentication.RequiredActionContext;
import org.keycloak.credential.CredentialModel;
import org.keycloak.events.EventBuilder;
import org.keycloak.forms.login.LoginFormsProvider;
import org.keycloak.models.SubjectCredentialManager;
import org.keycloak.models.UserModel;
import java.util.stream.Stream;

/**
 * What a required action of Keycloak is called with, on the registration form: before there is a user, and in the
 * transaction that makes one. Only what the making of a passkey needs is there.
 */
final class StandInAction {

    private final FormContext context;
    private final UserModel user;
    private final LoginFormsProvider form;
    private final EventBuilder event;
    private Response challenge;
    private boolean succeeded;

    /** @param event may be null where nothing is told */
    StandInAction(FormContext context, UserModel user, LoginFormsProvider form, EventBuilder event) {
        this.context = context;
        this.user = user;
        this.form = form;
        this.event = event;
    }

    RequiredActionContext context() {
        return as(RequiredActionContext.class, (method, arguments) -> switch (method) {
            case "getRealm" -> context.getRealm();
            case "getSession" -> context.getSession();
            case "getAuthenticationSession" -> context.getAuthenticationSession();
            case "getConnection" -> context.getConnection();
            case "getUriInfo" -> context.getUriInfo();
            case "getHttpRequest" -> context.getHttpRequest();
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
        return (LoginFormsProvider) Proxy.newProxyInstance(StandInAction.class.getClassLoader(), new Class<?>[] {LoginFormsProvider.class}, (proxy, method, arguments) -> {
            if ("createForm".equals(method.getName())) {
                last.accept(form);
                return form.createForm(template);
            }
            if ("createWebAuthnErrorPage".equals(method.getName())) {
                return null;
            }
            try {
                Object answer = method.invoke(form, arguments);
                return answer instanceof LoginFormsProvider ? proxy : answer;
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
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

    private interface Calls {

        Object to(String method, Object[] arguments);
    }
}
