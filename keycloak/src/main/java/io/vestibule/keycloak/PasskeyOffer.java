package io.vestibule.keycloak;

import java.util.List;
import java.util.Set;

import org.keycloak.authentication.RequiredActionProvider;
import org.keycloak.authentication.authenticators.browser.UsernameFormFactory;
import org.keycloak.authentication.authenticators.browser.UsernamePasswordFormFactory;
import org.keycloak.authentication.authenticators.browser.WebAuthnConditionalUIAuthenticator;
import org.keycloak.authentication.authenticators.browser.WebAuthnPasswordlessAuthenticatorFactory;
import org.keycloak.authentication.requiredactions.WebAuthnPasswordlessRegisterFactory;
import org.keycloak.models.AuthenticationExecutionModel;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.RealmModel;
import org.keycloak.models.RequiredActionProviderModel;

/**
 * Whether the realm offers passkeys to somebody who signs up: one can be made, one can be signed in with, and the
 * registration form does without a password where one is chosen.
 */
final class PasskeyOffer {

    private static final Set<String> FORMS_WITH_PASSKEYS = Set.of(DiscreetPasswordFormFactory.PROVIDER_ID, UsernamePasswordFormFactory.PROVIDER_ID, UsernameFormFactory.PROVIDER_ID);
    // Their answer is good once, and a passkey takes two posts.
    private static final Set<String> GOOD_ONCE = Set.of("registration-recaptcha-action", "registration-recaptcha-enterprise");

    private PasskeyOffer() {
    }

    /** @param formFlowId the form-flow with the actions of the registration form */
    static boolean isMade(KeycloakSession session, RealmModel realm, String formFlowId) {
        List<String> actions = stepsOf(realm, formFlowId);
        return actions.contains(TrialPasswordAction.PROVIDER_ID) && actions.stream().noneMatch(GOOD_ONCE::contains)
                && isMadeHere(session, realm) && signsIn(session, realm);
    }

    private static boolean isMadeHere(KeycloakSession session, RealmModel realm) {
        RequiredActionProviderModel action = realm.getRequiredActionProviderByAlias(WebAuthnPasswordlessRegisterFactory.PROVIDER_ID);
        return action != null && action.isEnabled() && session.getProvider(RequiredActionProvider.class, WebAuthnPasswordlessRegisterFactory.PROVIDER_ID) != null;
    }

    private static boolean signsIn(KeycloakSession session, RealmModel realm) {
        List<String> steps = stepsOf(realm, realm.getBrowserFlow().getId());
        return steps.contains(WebAuthnPasswordlessAuthenticatorFactory.PROVIDER_ID)
                || steps.stream().anyMatch(FORMS_WITH_PASSKEYS::contains) && passkeysOnForms(session);
    }

    private static List<String> stepsOf(RealmModel realm, String flowId) {
        return FormProviders.steps(realm, flowId).map(AuthenticationExecutionModel::getAuthenticator).toList();
    }

    /** "Enable passkeys" of the passwordless policy, which login forms keep to since 26.4. */
    private static boolean passkeysOnForms(KeycloakSession session) {
        try {
            return Newer.passkeysOnForms(session);
        } catch (LinkageError e) {
            return false;
        }
    }

    private static final class Newer {

        static boolean passkeysOnForms(KeycloakSession session) {
            return WebAuthnConditionalUIAuthenticator.isPasskeysEnabled(session);
        }
    }
}
