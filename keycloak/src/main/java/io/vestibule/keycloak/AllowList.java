package io.vestibule.keycloak;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What the jar grants on the bridge's word: nothing but what an administrator of the realm listed here.
 *
 * @param roles      realm role names
 * @param attributes user attribute names
 */
record AllowList(Set<String> roles, Set<String> attributes) {

    static final String ROLES = "allowedRoles";
    static final String ATTRIBUTES = "allowedAttributes";

    static AllowList from(Map<String, String> config) {
        return new AllowList(Set.copyOf(WithoutInvitation.values(config.get(ROLES))),
                Set.copyOf(WithoutInvitation.values(config.get(ATTRIBUTES))));
    }

    /** What the bridge asked for and may not have, in words for the log; empty when all is allowed. */
    List<String> refusals(Creation.Granted granted) {
        List<String> refusals = new ArrayList<>();
        granted.roles().stream().filter(role -> !roles.contains(role)).forEach(role -> refusals.add("role " + role));
        granted.attributes().keySet().stream().filter(name -> !attributes.contains(name)).forEach(name -> refusals.add("attribute " + name));
        return refusals;
    }
}
