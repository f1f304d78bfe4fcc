package io.vestibule.keycloak;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.reflect.Proxy;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.stream.Stream;

import jakarta.ws.rs.core.MultivaluedHashMap;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.keycloak.authentication.AuthenticationFlowContext;
import org.keycloak.credential.hash.PasswordHashProvider;
import org.keycloak.events.EventBuilder;
import org.keycloak.forms.login.LoginFormsProvider;
import org.keycloak.models.AuthenticationExecutionModel;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.KeycloakSessionFactory;
import org.keycloak.models.RealmModel;
import org.keycloak.models.SubjectCredentialManager;
import org.keycloak.models.UserModel;
import org.keycloak.models.UserProvider;
import org.keycloak.services.managers.BruteForceProtector;
import org.keycloak.sessions.AuthenticationSessionModel;

class DiscreetPasswordFormTest {

    private final AtomicInteger hashes = new AtomicInteger();
    private final AtomicInteger lookUps = new AtomicInteger();

    /** SECURITY.md 13: hashing is what takes the time. */
    @ParameterizedTest(name = "{0}: {4} hash(es) for \"{5}\"")
    @CsvSource({
        "nobody,             false, false, false, 1, a wrong one",
        "an account,         true,  true,  false, 1, a wrong one",
        "a locked account,   true,  true,  true,  1, a wrong one",
        "without a password, true,  false, false, 1, a wrong one",
        "locked and without, true,  false, true,  1, a wrong one",
        "nobody,             false, false, false, 0, ''",
        "an account,         true,  true,  false, 0, ''",
        "a locked account,   true,  true,  true,  0, ''",
        "without a password, true,  false, false, 0, ''",
        "nobody,             false, false, false, 0, ",
        "an account,         true,  true,  false, 0, ",
    })
    void aWrongAnswerTakesTheSameWork(String who, boolean exists, boolean hasPassword, boolean locked, int expected, String password) {
        MultivaluedHashMap<String, String> form = new MultivaluedHashMap<>(Map.of("username", "ada@example.com"));
        if (password != null) {
            form.putSingle("password", password);
        }
        new DiscreetPasswordForm().validateForm(context(exists, hasPassword, locked), form);
        assertEquals(expected, hashes.get());
        if (expected == 0) {
            assertEquals(0, lookUps.get());
        }
    }

    private AuthenticationFlowContext context(boolean exists, boolean hasPassword, boolean locked) {
        SubjectCredentialManager credentials = fake(SubjectCredentialManager.class, Map.of(
                "isConfiguredFor", arguments -> hasPassword,
                "isValid", arguments -> {
                    hashes.addAndGet(hasPassword ? 1 : 0);
                    return false;
                }));
        UserModel user = fake(UserModel.class, Map.of("credentialManager", arguments -> credentials, "isEnabled", arguments -> true));
        UserProvider users = fake(UserProvider.class, Map.of("getUserByUsername", arguments -> {
            lookUps.incrementAndGet();
            return exists ? user : null;
        }));
        PasswordHashProvider hash = fake(PasswordHashProvider.class, Map.of("encodedCredential", arguments -> {
            hashes.incrementAndGet();
            return null;
        }));
        KeycloakSession session = fake(KeycloakSession.class, Map.of(
                "users", arguments -> users,
                "getProvider", arguments -> arguments[0] == PasswordHashProvider.class ? hash : null,
                "getKeycloakSessionFactory", arguments -> fake(KeycloakSessionFactory.class, Map.of())));
        RealmModel realm = fake(RealmModel.class, Map.of("isBruteForceProtected", arguments -> true, "getId", arguments -> "realm"));
        EventBuilder event = new EventBuilder(realm, session) {
            @Override
            public void error(String error) {
                // Sending needs a Keycloak.
            }
        };
        return fake(AuthenticationFlowContext.class, Map.of(
                "getSession", arguments -> session,
                "getRealm", arguments -> realm,
                "getEvent", arguments -> event,
                "getExecution", arguments -> new AuthenticationExecutionModel(),
                "form", arguments -> fake(LoginFormsProvider.class, Map.of()),
                "getAuthenticationSession", arguments -> fake(AuthenticationSessionModel.class, Map.of()),
                "getProtector", arguments -> fake(BruteForceProtector.class, Map.of("isTemporarilyDisabled", ignored -> locked))));
    }

    /** What is not told answers itself, nothing, false or null. */
    private static <T> T fake(Class<T> type, Map<String, Function<Object[], Object>> told) {
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (proxy, method, arguments) -> {
            if (told.containsKey(method.getName())) {
                return told.get(method.getName()).apply(arguments);
            }
            Class<?> answer = method.getReturnType();
            if (answer.isAssignableFrom(type) && answer != Object.class) {
                return proxy;
            }
            return answer == boolean.class ? Boolean.FALSE : answer == Stream.class ? Stream.empty() : null;
        }));
    }
}
