package io.vestibule.keycloak;

import java.util.List;

import jakarta.ws.rs.core.MultivaluedMap;
import jakarta.ws.rs.core.Response;
import org.keycloak.authentication.AuthenticationFlowContext;
import org.keycloak.forms.login.LoginFormsProvider;
import org.keycloak.models.IdentityProviderModel;
import org.keycloak.models.utils.FormMessage;
import org.keycloak.models.utils.KeycloakModelUtils;

/** The pages of {@code theme-resources/templates}. Each imports the active theme's own template. */
final class TrialPage {

    private static final String REFUSED = "trial-refused.ftl";
    private static final String OTHER_PERSON = "trial-other-person.ftl";
    private static final String KNOWN = "trial-known.ftl";
    private static final String OTHER_ADDRESS = "trial-other-address.ftl";
    private static final String FROM_PROVIDER = "trial-from-provider.ftl";
    private static final String EXPIRED = "trial-expired.ftl";

    private TrialPage() {
    }

    /**
     * Says in words why it does not go on. Texts are {@code trialRefused.<reason>.title} and {@code .text}.
     *
     * @param buttonKey text of the button
     * @param buttonUrl where it leads, or null for no button
     */
    static Response refused(AuthenticationFlowContext context, Response.Status status, String reason, String buttonKey, String buttonUrl) {
        return form(context)
                .setStatus(status)
                .setAttribute("trialReason", reason)
                .setAttribute("trialButtonKey", buttonKey)
                .setAttribute("trialButtonUrl", buttonUrl)
                .createForm(REFUSED);
    }

    static Response otherPerson(AuthenticationFlowContext context, String signedIn, String invited) {
        return form(context)
                .setAttribute("trialSignedIn", signedIn)
                .setAttribute("trialInvited", invited)
                .createForm(OTHER_PERSON);
    }

    static Response known(AuthenticationFlowContext context, String invited) {
        return form(context).setAttribute("trialInvited", invited).createForm(KNOWN);
    }

    /**
     * Somebody whose address at the identity provider is not the invited one.
     *
     * @param newLinkUrl where there is an invitation for that address, or null
     */
    static Response otherAddress(AuthenticationFlowContext context, BrokeredPerson person, String invited, boolean same, String newLinkUrl) {
        return form(context)
                .setStatus(Response.Status.FORBIDDEN)
                .setAttribute("trialReason", person.email() == null ? "none" : same ? "unverified" : "other")
                .setAttribute("trialProvider", person.provider())
                .setAttribute("trialTheirs", person.email())
                .setAttribute("trialInvited", invited)
                .setAttribute("trialButtonUrl", same || person.email() == null ? null : newLinkUrl)
                .createForm(OTHER_ADDRESS);
    }

    /** What is left to ask of somebody who comes from an identity provider, in the active theme's own fields; or that it failed. */
    static Response fromProvider(AuthenticationFlowContext context, IdentityProviderModel provider, Invitation invitation, MultivaluedMap<String, String> formData, List<FormMessage> errors) {
        LoginFormsProvider form = context.form()
                .setAttribute("trialProvider", KeycloakModelUtils.getIdentityProviderDisplayName(context.getSession(), provider))
                .setAttributeMapper(attributes -> {
                    attributes.remove("auth");
                    attributes.put("profile", LockedRegisterBean.ofQuestions(formData, context.getSession(), invitation));
                    FormAssets.addTo(attributes);
                    return attributes;
                });
        return (errors.isEmpty() ? form : form.setErrors(errors)).createForm(FROM_PROVIDER);
    }

    /**
     * @param since      the end in the person's language, or null
     * @param contactUrl where "what now?" leads, or null
     */
    static Response expired(AuthenticationFlowContext context, String since, String contactUrl) {
        return form(context)
                .setStatus(Response.Status.FORBIDDEN)
                .setAttribute("trialEndedAt", since)
                .setAttribute("trialContactUrl", contactUrl)
                .createForm(EXPIRED);
    }

    private static LoginFormsProvider form(AuthenticationFlowContext context) {
        // Without it keycloak.v2 shows the attempted username as an input that has no label (axe: label).
        return context.form().setAttributeMapper(attributes -> {
            attributes.remove("auth");
            return attributes;
        });
    }
}
