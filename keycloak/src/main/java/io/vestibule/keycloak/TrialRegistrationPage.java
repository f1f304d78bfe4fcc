package io.vestibule.keycloak;

import java.util.Optional;

import jakarta.ws.rs.core.MultivaluedHashMap;
import jakarta.ws.rs.core.MultivaluedMap;
import jakarta.ws.rs.core.Response;
import org.keycloak.authentication.FormContext;
import org.keycloak.authentication.forms.RegistrationPage;
import org.keycloak.forms.login.LoginFormsProvider;

/**
 * Keycloak's registration page, with the invited address shown and locked. The active theme's own register.ftl renders
 * it: only the bean that the template reads is another one.
 *
 * <h2>Placement</h2>
 * The authenticator of the form-flow that follows TrialTokenAuthenticator in the registration flow, in place of
 * {@code registration-page-form}: without the invitation in the authentication session it is the ordinary page. It only
 * shows; that nothing else is accepted is TrialTokenFormAction's work.
 */
final class TrialRegistrationPage extends RegistrationPage {

    @Override
    public Response render(FormContext context, LoginFormsProvider form) {
        Optional<Invitation> invitation = Invitation.of(context.getAuthenticationSession());
        // The mapper sees the attributes last, when the theme's own bean and its error messages are in place.
        Optional<String> passkey = invitation.flatMap(invited -> Passkey.offer(context, context.getExecution().getFlowId()));
        invitation.ifPresent(invited -> form.setAttributeMapper(attributes -> {
            LockedRegisterBean locked = LockedRegisterBean.from(attributes.get("profile"), posted(context), context.getSession(), invited,
                    FormProviders.hint(context.getSession(), attributes.get("social")), passkey.isPresent());
            attributes.put("profile", locked);
            attributes.put("register", locked);
            FormAssets.addTo(attributes, passkey.stream().toArray(String[]::new));
            return attributes;
        }));
        return super.render(context, form);
    }

    private static MultivaluedMap<String, String> posted(FormContext context) {
        return "POST".equals(context.getHttpRequest().getHttpMethod()) ? context.getHttpRequest().getDecodedFormParameters() : new MultivaluedHashMap<>();
    }
}
