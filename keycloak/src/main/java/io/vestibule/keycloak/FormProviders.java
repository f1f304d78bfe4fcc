package io.vestibule.keycloak;

import java.io.IOException;
import java.text.MessageFormat;
import java.util.List;
import java.util.Locale;
import java.util.Properties;
import java.util.stream.Collectors;
import java.util.stream.Stream;

import org.keycloak.authentication.authenticators.broker.IdpCreateUserIfUniqueAuthenticatorFactory;
import org.keycloak.common.util.HtmlUtils;
import org.keycloak.forms.login.freemarker.model.IdentityProviderBean;
import org.keycloak.models.AuthenticationExecutionModel;
import org.keycloak.models.AuthenticationFlowModel;
import org.keycloak.models.IdentityProviderModel;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.RealmModel;
import org.keycloak.theme.Theme;

/**
 * The identity providers of the login page on the locked form. Keycloak's register.ftl shows none, and the theme's own
 * is not to be replaced; but every theme writes the hint of a field, as HTML that it sanitizes: there they stand.
 */
final class FormProviders {

    private FormProviders() {
    }

    /**
     * The hint below the locked address: who sent it, and the providers, each a link that keeps the authentication session.
     *
     * @param social the theme's bean: enabled, not hidden, not for linking only
     */
    static String hint(KeycloakSession session, Object social) {
        RealmModel realm = session.getContext().getRealm();
        List<IdentityProviderBean.IdentityProvider> providers = social instanceof IdentityProviderBean bean
                ? bean.getProviders().stream().filter(provider -> signUp(session, realm, provider.getAlias())).toList()
                : List.of();
        if (providers.isEmpty()) {
            return LockedRegisterBean.HINT;
        }
        Texts texts = Texts.of(session, realm);
        String links = providers.stream()
                .map(provider -> "<a class=\"trial-provider\" id=\"trial-provider-" + HtmlUtils.escapeAttribute(provider.getAlias()) + "\" href=\"" + HtmlUtils.escapeAttribute(provider.getLoginUrl()) + "\">"
                        + HtmlUtils.escapeAttribute(texts.of("trialProvider.goOn", provider.getDisplayName())) + "</a>")
                .collect(Collectors.joining());
        return HtmlUtils.escapeAttribute(texts.of("trialAddressLockedHint")) + "<div class=\"trial-providers\">" + links
                + "<div class=\"trial-or\">" + HtmlUtils.escapeAttribute(texts.of("trialProvider.or")) + "</div></div>";
    }

    /**
     * Whether an invitation is good at this provider: not where its first-login flow only links, nor where Keycloak's own
     * step would make an account without a trial.
     */
    static boolean signUp(KeycloakSession session, RealmModel realm, String alias) {
        IdentityProviderModel provider = session.identityProviders().getByAlias(alias);
        String chosen = provider == null ? null : provider.getFirstBrokerLoginFlowId();
        AuthenticationFlowModel flow = chosen == null ? realm.getFirstBrokerLoginFlow() : realm.getAuthenticationFlowById(chosen);
        List<String> steps = flow == null ? List.of() : steps(realm, flow.getId()).map(AuthenticationExecutionModel::getAuthenticator).toList();
        return steps.contains(TrialProviderCreationFactory.PROVIDER_ID) && !steps.contains(IdpCreateUserIfUniqueAuthenticatorFactory.PROVIDER_ID);
    }

    /** Of a flow and those in it, without what is disabled. */
    static Stream<AuthenticationExecutionModel> steps(RealmModel realm, String flowId) {
        return realm.getAuthenticationExecutionsStream(flowId).filter(step -> !step.isDisabled())
                .flatMap(step -> step.isAuthenticatorFlow() ? steps(realm, step.getFlowId()) : Stream.of(step));
    }

    /** Of the active theme, with what the realm says instead. */
    private record Texts(Properties messages, Locale locale) {

        static Texts of(KeycloakSession session, RealmModel realm) {
            Locale locale = session.getContext().resolveLocale(null);
            try {
                return new Texts(session.theme().getTheme(Theme.Type.LOGIN).getEnhancedMessages(realm, locale), locale);
            } catch (IOException e) {
                throw new IllegalStateException("The login theme has no texts", e);
            }
        }

        String of(String key, Object... parts) {
            return new MessageFormat(messages.getProperty(key, key), locale).format(parts);
        }
    }
}
