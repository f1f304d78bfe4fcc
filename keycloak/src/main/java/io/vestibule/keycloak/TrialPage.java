package io.vestibule.keycloak;

import jakarta.ws.rs.core.Response;
import org.keycloak.authentication.AuthenticationFlowContext;
import org.keycloak.forms.login.LoginFormsProvider;

/** The pages of {@code theme-resources/templates}. Each imports the active theme's own template. */
final class TrialPage {

    private static final String REFUSED = "trial-refused.ftl";
    private static final String OTHER_PERSON = "trial-other-person.ftl";
    private static final String KNOWN = "trial-known.ftl";
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
