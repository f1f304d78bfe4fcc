package io.vestibule.keycloak;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What to do with somebody who registers without an invitation: a default, and exceptions per client.
 *
 * @param allowedByDefault false: refused
 * @param exceptions       client id → allowed
 */
record WithoutInvitation(boolean allowedByDefault, Map<String, Boolean> exceptions) {

    static final String DEFAULT = "withoutInvitation";
    static final String EXCEPTIONS = "withoutInvitationExceptions";
    static final String DENY = "deny";
    static final String ALLOW = "allow";

    /** @throws Misconfigured for any word but {@code allow} and {@code deny} */
    static WithoutInvitation from(Map<String, String> config) throws Misconfigured {
        String byDefault = config.get(DEFAULT);
        Map<String, Boolean> exceptions = new HashMap<>();
        for (String exception : values(config.get(EXCEPTIONS))) {
            int equals = exception.lastIndexOf('=');
            if (equals < 1) {
                throw new Misconfigured(EXCEPTIONS + " must hold clientId=allow or clientId=deny, not " + exception);
            }
            exceptions.put(exception.substring(0, equals).strip(), isAllow(exception.substring(equals + 1).strip(), EXCEPTIONS));
        }
        return new WithoutInvitation(byDefault != null && !byDefault.isBlank() && isAllow(byDefault.strip(), DEFAULT), exceptions);
    }

    boolean allows(String clientId) {
        return exceptions.getOrDefault(clientId, allowedByDefault);
    }

    /** Splits a multivalued setting as Keycloak stores it ({@code Constants.CFG_DELIMITER}). */
    static List<String> values(String setting) {
        if (setting == null) {
            return List.of();
        }
        return List.of(setting.split("##")).stream().map(String::strip).filter(value -> !value.isEmpty()).toList();
    }

    private static boolean isAllow(String word, String key) throws Misconfigured {
        return switch (word) {
            case ALLOW -> true;
            case DENY -> false;
            default -> throw new Misconfigured(key + " knows allow and deny, not " + word);
        };
    }
}
