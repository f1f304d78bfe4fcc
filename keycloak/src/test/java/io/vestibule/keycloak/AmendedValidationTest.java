package io.vestibule.keycloak;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;

import jakarta.ws.rs.core.MultivaluedHashMap;
import org.junit.jupiter.api.Test;
import org.keycloak.authentication.ValidationContext;
import org.keycloak.http.HttpRequest;
import org.keycloak.models.UserModel;
import org.keycloak.models.utils.FormMessage;
import org.keycloak.services.messages.Messages;

class AmendedValidationTest {

    private static final FormMessage TAKEN = new FormMessage(UserModel.EMAIL, Messages.EMAIL_EXISTS);
    private static final FormMessage NAME = new FormMessage(UserModel.FIRST_NAME, "error-invalid-length");
    private static final FormMessage TERMS = new FormMessage("consents.terms", "trialConsentMissing");

    private final List<String> said = new ArrayList<>();

    /** Writes down what reaches Keycloak's own context. */
    private final ValidationContext keycloaks = of(ValidationContext.class, (proxy, method, arguments) -> switch (method.getName()) {
        case "success" -> said.add("success");
        case "error" -> said.add("error " + arguments[0]);
        case "validationError" -> said.add("shown " + ((List<?>) arguments[1]).stream().map(message -> ((FormMessage) message).getField()).toList());
        case "getHttpRequest" -> of(HttpRequest.class, (request, called, none) -> new MultivaluedHashMap<>());
        default -> throw new AssertionError(method);
    });

    @SuppressWarnings("unchecked")
    private static <T> T of(Class<T> type, InvocationHandler handler) {
        return (T) Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (proxy, method, arguments) -> {
            Object answer = handler.invoke(proxy, method, arguments);
            return method.getReturnType() == void.class ? null : answer;
        });
    }

    private List<String> keycloakFinds(List<FormMessage> errors, List<FormMessage> faults, boolean forgivesTaken) {
        ValidationContext context = AmendedValidation.around(keycloaks, faults, forgivesTaken);
        if (errors.isEmpty()) {
            context.success();
        } else {
            context.error("found");
            context.validationError(new MultivaluedHashMap<>(), errors);
        }
        return said;
    }

    @Test
    void withoutAFaultItSucceeds() {
        assertEquals(List.of("success"), keycloakFinds(List.of(), List.of(), false));
    }

    @Test
    void aFaultOfTheAnswersAloneIsAnError() {
        assertEquals(List.of("error invalid_registration", "shown [consents.terms]"), keycloakFinds(List.of(), List.of(TERMS), false));
    }

    @Test
    void faultsAreShownTogether() {
        assertEquals(List.of("error found", "shown [firstName, consents.terms]"), keycloakFinds(List.of(NAME), List.of(TERMS), false));
    }

    @Test
    void anAddressThatMayBeTakenIsNoFault() {
        assertEquals(List.of("success"), keycloakFinds(List.of(TAKEN), List.of(), true));
    }

    @Test
    void butFaultsBesideItAre() {
        assertEquals(List.of("error found", "shown [consents.terms]"), keycloakFinds(List.of(TAKEN), List.of(TERMS), true));
    }

    @Test
    void anAddressThatMayNotBeTakenIsAFault() {
        assertEquals(List.of("error found", "shown [email]"), keycloakFinds(List.of(TAKEN), List.of(), false));
    }
}
