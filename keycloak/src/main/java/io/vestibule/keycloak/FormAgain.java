package io.vestibule.keycloak;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.URI;
import java.util.List;
import java.util.function.Function;

import jakarta.ws.rs.WebApplicationException;
import jakarta.ws.rs.core.MultivaluedHashMap;
import jakarta.ws.rs.core.MultivaluedMap;
import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.core.UriInfo;
import org.keycloak.authentication.AuthenticationProcessor;
import org.keycloak.authentication.FormAction;
import org.keycloak.authentication.FormAuthenticator;
import org.keycloak.authentication.FormContext;
import org.keycloak.authentication.forms.RegistrationPage;
import org.keycloak.forms.login.LoginFormsProvider;
import org.keycloak.models.AuthenticationExecutionModel;
import org.keycloak.models.Constants;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.RealmModel;
import org.keycloak.models.utils.FormMessage;
import org.keycloak.services.managers.ClientSessionCode;
import org.keycloak.services.resources.LoginActionsService;
import org.keycloak.sessions.AuthenticationSessionModel;

/**
 * {@code FormAction.success} has no way to say "failed". This is it: the transaction is rolled back and the person sees
 * the form again, filled (passwords not), with the reason on top. It does what {@code FormAuthenticationFlow.renderForm}
 * does, from inside a form action; its parts are package-private there.
 */
final class FormAgain {

    private final FormContext context;
    private final KeycloakSession session;
    private final AuthenticationSessionModel authSession;

    private FormAgain(FormContext context) {
        this.context = context;
        this.session = context.getSession();
        this.authSession = context.getAuthenticationSession();
    }

    /**
     * Rolls back. Throw the result: it carries the page.
     *
     * @param reason null for nobody's fault
     */
    static WebApplicationException because(FormContext context, FormMessage reason) {
        return instead(context, form -> new FormAgain(context).page(reason == null ? form : form.setErrors(List.of(reason))));
    }

    /** The same with another page, whose form is posted to the registration form. */
    static WebApplicationException instead(FormContext context, Function<LoginFormsProvider, Response> page) {
        // Without it the inserted user stays on Keycloak before 26.7.
        context.getSession().getTransactionManager().setRollbackOnly();
        return new WebApplicationException(page.apply(new FormAgain(context).form()));
    }

    private LoginFormsProvider form() {
        authSession.setAuthenticatedUser(null);
        RealmModel realm = context.getRealm();
        AuthenticationExecutionModel page = pageExecution();
        // The code of this submit is used up: with it the second failure would answer "Action expired".
        String code = new ClientSessionCode<>(session, realm, authSession).getOrGenerateCode();
        return session.getProvider(LoginFormsProvider.class)
                .setAuthenticationSession(authSession)
                .setActionUri(action(page.getId(), code))
                .setExecution(page.getId())
                .setClientSessionCode(code)
                .setFormData(withoutPasswords(context.getHttpRequest().getDecodedFormParameters()));
    }

    private AuthenticationExecutionModel pageExecution() {
        return context.getRealm().getAuthenticationExecutionByFlowId(context.getExecution().getParentFlow());
    }

    private Response page(LoginFormsProvider form) {
        AuthenticationExecutionModel page = pageExecution();
        for (AuthenticationExecutionModel sibling : context.getRealm().getAuthenticationExecutionsStream(context.getExecution().getParentFlow()).toList()) {
            if (sibling.isEnabled()) {
                session.getProvider(FormAction.class, sibling.getAuthenticator()).buildPage(as(sibling), form);
            }
        }
        return session.getProvider(FormAuthenticator.class, page.getAuthenticator()).render(as(page), form);
    }

    private URI action(String executionId, String code) {
        UriInfo uriInfo = context.getUriInfo();
        return LoginActionsService.registrationFormProcessor(uriInfo)
                .queryParam(LoginActionsService.SESSION_CODE, code)
                .queryParam(Constants.EXECUTION, executionId)
                .queryParam(Constants.CLIENT_ID, authSession.getClient().getClientId())
                .queryParam(Constants.TAB_ID, authSession.getTabId())
                .queryParam(Constants.CLIENT_DATA, AuthenticationProcessor.getClientData(session, authSession))
                .build(context.getRealm().getName());
    }

    /** A copy: the actions after this one still validate the original. */
    static MultivaluedMap<String, String> withoutPasswords(MultivaluedMap<String, String> formData) {
        MultivaluedMap<String, String> copy = new MultivaluedHashMap<>(formData);
        copy.remove(RegistrationPage.FIELD_PASSWORD);
        copy.remove(RegistrationPage.FIELD_PASSWORD_CONFIRM);
        return copy;
    }

    /** The same context as another execution sees it: its own id and configuration. */
    private FormContext as(AuthenticationExecutionModel execution) {
        return (FormContext) Proxy.newProxyInstance(FormContext.class.getClassLoader(), new Class<?>[] {FormContext.class}, (proxy, method, arguments) ->
                switch (method.getName()) {
                    case "getExecution" -> execution;
                    case "getAuthenticatorConfig" -> execution.getAuthenticatorConfig() == null ? null
                            : context.getRealm().getAuthenticatorConfigById(execution.getAuthenticatorConfig());
                    default -> {
                        try {
                            yield method.invoke(context, arguments);
                        } catch (InvocationTargetException e) {
                            throw e.getCause();
                        }
                    }
                });
    }
}
