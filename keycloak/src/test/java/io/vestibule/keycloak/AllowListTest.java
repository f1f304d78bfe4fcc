package io.vestibule.keycloak;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Map;

import org.junit.jupiter.api.Test;

class AllowListTest {

    private static final AllowList LIST = AllowList.from(Map.of(AllowList.ROLES, "trial-user##trial-pro", AllowList.ATTRIBUTES, "trial_stamp"));

    @Test
    void whatIsListedIsGranted() {
        assertEquals(List.of(), LIST.refusals(granted(List.of("trial-user"), "trial_stamp")));
    }

    @Test
    void whatIsNotListedIsNamed() {
        assertEquals(List.of("role admin", "attribute evil"), LIST.refusals(granted(List.of("trial-user", "admin"), "evil")));
    }

    @Test
    void namesAreComparedAsTheyStand() {
        assertEquals(List.of("role Trial-user"), LIST.refusals(granted(List.of("Trial-user"), "trial_stamp")));
    }

    @Test
    void anEmptyListAllowsNothing() {
        assertEquals(List.of("role trial-user", "attribute trial_stamp"), AllowList.from(Map.of()).refusals(granted(List.of("trial-user"), "trial_stamp")));
    }

    private static Creation.Granted granted(List<String> roles, String attribute) {
        return new Creation.Granted(Map.of(attribute, List.of("x")), roles);
    }
}
