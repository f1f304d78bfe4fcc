package io.vestibule.keycloak;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Set;

import jakarta.ws.rs.core.MultivaluedMap;
import org.keycloak.authentication.ValidationContext;
import org.keycloak.models.UserModel;
import org.keycloak.models.utils.FormMessage;
import org.keycloak.services.messages.Messages;

/**
 * A validation in which the invited address being taken is no error: the account that holds it will be set aside in
 * {@code success}, and not before, because a validation that fails for another reason still commits.
 */
final class ForgivingValidation {

    private static final Set<String> TAKEN = Set.of(Messages.EMAIL_EXISTS, Messages.USERNAME_EXISTS);
    private static final Set<String> ADDRESS_FIELDS = Set.of(UserModel.EMAIL, UserModel.USERNAME);

    private final ValidationContext context;
    private String error;

    private ForgivingValidation(ValidationContext context) {
        this.context = context;
    }

    static ValidationContext around(ValidationContext context) {
        return new ForgivingValidation(context).proxy();
    }

    private ValidationContext proxy() {
        return (ValidationContext) Proxy.newProxyInstance(ValidationContext.class.getClassLoader(), new Class<?>[] {ValidationContext.class}, (proxy, method, arguments) -> {
            switch (method.getName()) {
                // Always comes before validationError, which decides whether it counts.
                case "error" -> error = (String) arguments[0];
                case "validationError" -> validationError(arguments);
                default -> {
                    try {
                        return method.invoke(context, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                }
            }
            return null;
        });
    }

    @SuppressWarnings("unchecked")
    private void validationError(Object[] arguments) {
        List<FormMessage> others = ((List<FormMessage>) arguments[1]).stream().filter(message -> !isTaken(message)).toList();
        if (others.isEmpty()) {
            context.success();
        } else {
            context.error(error);
            context.validationError((MultivaluedMap<String, String>) arguments[0], others);
        }
    }

    private static boolean isTaken(FormMessage message) {
        return message.getField() != null && ADDRESS_FIELDS.contains(message.getField()) && TAKEN.contains(message.getMessage());
    }
}
