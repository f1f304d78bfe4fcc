package io.vestibule.keycloak;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.List;
import java.util.Map;

import com.fasterxml.jackson.databind.node.ObjectNode;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.keycloak.util.JsonSerialization;

/** The bridge's side of the same files: test/bridge/trial-keeper. */
class KeeperMessagesTest {

    private static final String REQUEST_ID = "golden-0001";

    static List<Contract> stamps() {
        return Contract.ofTheKeeper().stream().filter(one -> one.name().contains("-stamp-")).toList();
    }

    @ParameterizedTest
    @MethodSource("stamps")
    void theBridgesRequestIsUnderstood(Contract contract) {
        KeepRequest request = KeepRequest.from(contract.request().path("body"));
        assertEquals("app", request.product());
        assertEquals(request.version(), request.entry().version());
        assertEquals(contract.request().path("body").path("entry").textValue(), request.entry().text());
    }

    @Test
    void whoIsToBeginATrialIsNamedByTheAddressToo() {
        assertEquals("ada@example.com", KeepRequest.username(Contract.of("keeper/begin-stamp-held").request().path("body")));
        KeeperRefusal refusal = assertThrows(KeeperRefusal.class, () -> KeepRequest.username(Contract.of("keeper/keep-stamp-held").request().path("body")));
        assertTrue(refusal.getMessage().startsWith("username"), refusal.getMessage());
    }

    @Test
    void aConvertedTrialHasNoEndAndItsRoleGoes() {
        KeepRequest request = KeepRequest.from(Contract.of("keeper/keep-stamp-converted").request().path("body"));
        assertEquals(List.of("trial-user"), request.revoke());
        assertEquals(false, request.entry().stamp().isOver(Long.MAX_VALUE));
    }

    @Test
    void answersAreThoseOfTheContract() throws IOException {
        assertAnswer("keep-stamp-held", new TrialKeeping.Kept("held", 4).words());
        assertAnswer("begin-stamp-held", new TrialKeeping.Kept("held", 1).words());
        assertAnswer("keep-stamp-newer", new TrialKeeping.Kept("newer", 5).words());
        assertAnswer("remove-removed", Map.of("result", TrialLeaving.REMOVED));
        assertAnswer("remove-kept-account", Map.of("result", TrialLeaving.KEPT));
    }

    @Test
    void refusalsAreThoseOfTheContract() {
        assertEquals(Contract.of("keeper/keep-stamp-unknown-user").answer(), KeeperRefusal.unknownUser().problem(REQUEST_ID));
        assertEquals(Contract.of("keeper/keep-stamp-not-managed").answer(), KeeperRefusal.notManaged("app").problem(REQUEST_ID));
        assertEquals(Contract.of("keeper/begin-stamp-unknown-user").answer(), KeeperRefusal.unknownUser().problem(REQUEST_ID));
        assertEquals(Contract.of("keeper/begin-stamp-other-trial").answer(), KeeperRefusal.otherTrial("app").problem(REQUEST_ID));
        assertEquals(Contract.of("keeper/begin-stamp-not-eligible").answer(), KeeperRefusal.notEligible("is disabled").problem(REQUEST_ID));
        assertEquals(Contract.of("keeper/keep-stamp-role-not-allowed").answer(), KeeperRefusal.roleNotAllowed("staff").problem(REQUEST_ID));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "product | {\"product\":\" \"}",
        "entry | {\"entry\":\"x\"}",
        "entry | {\"product\":\"other\"}",
        "entry needs trial_access_until | {\"entry\":\"{\\\"product\\\":\\\"app\\\",\\\"state\\\":\\\"active\\\",\\\"trial_access_until\\\":null,\\\"clients\\\":[]}\"}",
        "version | {\"version\":0}",
        "version | {\"version\":\"4\"}",
        "roles.grant | {\"roles\":{\"revoke\":[]}}",
        "roles.revoke | {\"roles\":{\"grant\":[],\"revoke\":[1]}}",
        "roles | {\"roles\":{\"grant\":[\"a\"],\"revoke\":[\"a\"]}}",
    })
    void aWrongRequestIsNamed(String field, String patch) throws Exception {
        ObjectNode body = Contract.of("keeper/keep-stamp-held").request().path("body").deepCopy();
        body.setAll((ObjectNode) JsonSerialization.mapper.readTree(patch));
        KeeperRefusal refusal = assertThrows(KeeperRefusal.class, () -> KeepRequest.from(body));
        assertEquals("invalid_request", refusal.code());
        assertTrue(refusal.getMessage().startsWith(field), refusal.getMessage());
    }

    private static void assertAnswer(String name, Map<String, ?> words) throws IOException {
        assertEquals(Contract.of("keeper/" + name).answer(), JsonSerialization.mapper.readTree(JsonSerialization.writeValueAsString(words)));
    }
}
