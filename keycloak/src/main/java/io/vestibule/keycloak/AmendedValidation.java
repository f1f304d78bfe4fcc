package io.vestibule.keycloak;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

import jakarta.ws.rs.core.MultivaluedMap;
import org.keycloak.authentication.ValidationContext;
import org.keycloak.events.Errors;
import org.keycloak.models.UserModel;
import org.keycloak.models.utils.FormMessage;
import org.keycloak.services.messages.Messages;

/**
 * Keycloak's own validation with what an invitation changes: answers that are at fault are errors besides its own; and the
 * invited address being taken may be none, where the account that holds it will be set aside in {@code success}, and not
 * before, because a validation that fails for another reason still commits.
 */
final class AmendedValidation {

    private static final Set<String> TAKEN = Set.of(Messages.EMAIL_EXISTS, Messages.USERNAME_EXISTS);
    private static final Set<String> ADDRESS_FIELDS = Set.of(UserModel.EMAIL, UserModel.USERNAME);

    private final ValidationContext context;
    private final List<FormMessage> faults;
    private final boolean forgivesTaken;
    private String error;

    private AmendedValidation(ValidationContext context, List<FormMessage> faults, boolean forgivesTaken) {
        this.context = context;
        this.faults = faults;
        this.forgivesTaken = forgivesTaken;
    }

    /**
     * @param faults        of the answers, shown with what Keycloak finds
     * @param forgivesTaken whether the address may be taken
     */
    static ValidationContext around(ValidationContext context, List<FormMessage> faults, boolean forgivesTaken) {
        return new AmendedValidation(context, faults, forgivesTaken).proxy();
    }

    @SuppressWarnings("unchecked")
    private ValidationContext proxy() {
        return (ValidationContext) Proxy.newProxyInstance(ValidationContext.class.getClassLoader(), new Class<?>[] {ValidationContext.class}, (proxy, method, arguments) -> {
            switch (method.getName()) {
                // Always comes before validationError, which decides whether it counts.
                case "error" -> error = (String) arguments[0];
                case "validationError" -> validationError((MultivaluedMap<String, String>) arguments[0], (List<FormMessage>) arguments[1]);
                case "success" -> validationError(context.getHttpRequest().getDecodedFormParameters(), List.of());
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

    private void validationError(MultivaluedMap<String, String> formData, List<FormMessage> found) {
        List<FormMessage> all = Stream.concat(found.stream().filter(message -> !(forgivesTaken && isTaken(message))), faults.stream()).toList();
        if (all.isEmpty()) {
            context.success();
        } else {
            context.error(error == null ? Errors.INVALID_REGISTRATION : error);
            context.validationError(formData, all);
        }
    }

    private static boolean isTaken(FormMessage message) {
        return message.getField() != null && ADDRESS_FIELDS.contains(message.getField()) && TAKEN.contains(message.getMessage());
    }
}
