package io.vestibule.keycloak;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.List;
import java.util.Map;

import com.fasterxml.jackson.databind.JsonNode;
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

    static List<Contract> beginnings() {
        return Contract.ofTheKeeper().stream().filter(one -> one.message().startsWith("begin-stamp-")).toList();
    }

    @ParameterizedTest
    @MethodSource("stamps")
    void theBridgesRequestIsUnderstood(Contract contract) {
        KeepRequest request = KeepRequest.from(contract.request().path("body"));
        assertEquals("app", request.product());
        assertEquals(request.version(), request.entry().version());
        assertEquals(contract.request().path("body").path("entry").textValue(), request.entry().text());
    }

    @ParameterizedTest
    @MethodSource("beginnings")
    void whoIsToBeginATrialIsNamedByTheAddressToo(Contract contract) {
        assertEquals("ada@example.com", KeepRequest.username(contract.request().path("body")));
    }

    @Test
    void anAddressThatIsMissingIsNamed() {
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
        assertAnswer("end-sessions", TrialLeaving.ended(2));
        assertAnswer("remove-removed", TrialLeaving.result(TrialLeaving.REMOVED));
        assertAnswer("remove-kept-account", TrialLeaving.result(TrialLeaving.KEPT));
        assertAnswer("health-closed", BridgeHealth.words(BridgeBreaker.CLOSED));
        assertAnswer("health-open", BridgeHealth.words(BridgeBreaker.OPEN));
    }

    @Test
    void refusalsAreThoseOfTheContract() {
        assertAnswer("keep-stamp-unknown-user", KeeperRefusal.unknownUser().problem(REQUEST_ID));
        assertAnswer("keep-stamp-not-managed", KeeperRefusal.notManaged("app").problem(REQUEST_ID));
        assertAnswer("begin-stamp-unknown-user", KeeperRefusal.unknownUser().problem(REQUEST_ID));
        assertAnswer("begin-stamp-other-trial", KeeperRefusal.otherTrial("app").problem(REQUEST_ID));
        assertAnswer("begin-stamp-not-eligible", KeeperRefusal.notEligible("is disabled").problem(REQUEST_ID));
        assertAnswer("keep-stamp-role-not-allowed", KeeperRefusal.roleNotAllowed("staff").problem(REQUEST_ID));
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

    private static void assertAnswer(String message, Map<String, ?> words) throws IOException {
        assertAnswer(message, JsonSerialization.mapper.readTree(JsonSerialization.writeValueAsString(words)));
    }

    /** A release's bridge reads what it knows of an answer: it may be told more, never less. */
    private static void assertAnswer(String message, JsonNode said) {
        for (Contract contract : Contract.ofTheKeeper(message)) {
            JsonNode compared = contract.isOfToday() ? said : ((ObjectNode) said.deepCopy()).retain(names(contract.answer()));
            assertEquals(contract.answer(), compared, contract.name());
        }
    }

    private static List<String> names(JsonNode object) {
        return object.properties().stream().map(Map.Entry::getKey).toList();
    }
}
