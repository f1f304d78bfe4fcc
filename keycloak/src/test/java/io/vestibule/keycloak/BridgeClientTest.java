package io.vestibule.keycloak;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.reflect.Proxy;
import java.net.ServerSocket;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;

import com.fasterxml.jackson.databind.JsonNode;
import org.apache.http.impl.client.CloseableHttpClient;
import org.apache.http.impl.client.HttpClients;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.keycloak.crypto.SignatureSignerContext;
import org.keycloak.jose.jws.JWSInput;
import org.keycloak.representations.AccessToken;
import org.keycloak.util.JsonSerialization;

class BridgeClientTest {

    private static final int TOTAL_TIMEOUT_MILLIS = 400;
    private static final int BUSY_MACHINE_MILLIS = 10_000;
    private static final long SLACK_MILLIS = 1_600;
    private static final String USER_ID = "7d9a1c3e-52b4-4f7e-9a60-1f2e3d4c5b6a";
    private static final ServiceToken SERVICE_TOKEN = new ServiceToken("https://keycloak.test/realms/golden", ServiceTokenTest.key("golden"));
    private static final CloseableHttpClient HTTP = HttpClients.createDefault();

    /** Of verify-asking.json: what was given is not asked again. */
    private static final List<Question> QUESTIONS = List.of(
            new Question("attributes.role", null, null, "Role", Map.of("en", "Role", "fr", "Fonction"), false, 40),
            new Question("consents.terms", "2", "https://example.com/terms", "I accept the terms", Map.of(), true, 0));

    static List<Contract> contracts() {
        return Contract.all();
    }

    @AfterAll
    static void closeHttp() throws IOException {
        HTTP.close();
    }

    /** SECURITY.md 13: the login form makes one while a password is judged, for people with a trial alone. */
    @Test
    void nothingIsSignedBeforeTheCall() throws IOException {
        SignatureSignerContext key = ServiceTokenTest.key("counted");
        AtomicInteger signatures = new AtomicInteger();
        SignatureSignerContext counted = (SignatureSignerContext) Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {SignatureSignerContext.class}, (proxy, method, given) -> {
            if (method.getName().equals("sign")) {
                signatures.incrementAndGet();
            }
            return method.invoke(key, given);
        });
        try (FakeBridge bridge = FakeBridge.answering(503, "{}")) {
            BridgeSettings settings = new BridgeSettings(bridge.url(), 300, TOTAL_TIMEOUT_MILLIS);
            BridgeClient client = new BridgeClient(HTTP, settings, new BridgeBreaker(bridge.url(), System::nanoTime, state -> { }), new ServiceToken("https://keycloak.test/realms/counted", counted), "counted-0001");
            assertEquals(0, signatures.get());
            client.infos(USER_ID, "vestibule-proxy");
            assertEquals(1, signatures.get());
        }
    }

    @ParameterizedTest
    @MethodSource("contracts")
    void theRequestIsTheGoldenOne(Contract contract) throws Exception {
        try (FakeBridge bridge = answering(contract)) {
            call(contract, patient(bridge.url()));

            FakeBridge.Asked asked = bridge.asked();
            assertEquals(contract.request().path("method").textValue(), asked.method());
            assertEquals(contract.request().path("path").textValue(), asked.path());
            assertEquals(contract.request().path("headers").path("x-request-id").textValue(), asked.requestId());
            assertEquals(SERVICE_TOKEN.issuer(), new JWSInput(asked.authorization().substring("Bearer ".length())).readJsonContent(AccessToken.class).getIssuer());
            if (contract.request().has("body")) {
                assertEquals(contract.request().path("body"), JsonSerialization.mapper.readTree(asked.body()));
                assertTrue(asked.contentType().startsWith("application/json"));
            } else {
                assertEquals("", asked.body());
            }
        }
    }

    @ParameterizedTest
    @MethodSource("contracts")
    void theAnswerIsUnderstood(Contract contract) {
        try (FakeBridge bridge = answering(contract)) {
            assertEquals(expected(contract), call(contract, patient(bridge.url())));
        }
    }

    @Test
    void aDrippingBridgeIsCut() {
        try (FakeBridge bridge = FakeBridge.dripping(20)) {
            assertInTime(() -> assertInstanceOf(Verification.NoAnswer.class, client(bridge.url()).verify("t")));
        }
    }

    @Test
    void aSilentBridgeIsCut() throws IOException {
        try (ServerSocket silent = new ServerSocket(0)) {
            assertInTime(() -> assertInstanceOf(Infos.NoAnswer.class, client("http://127.0.0.1:" + silent.getLocalPort()).infos(USER_ID, "c")));
        }
    }

    @Test
    void aRefusedConnectionIsNoAnswer() throws IOException {
        int port;
        try (ServerSocket closed = new ServerSocket(0)) {
            port = closed.getLocalPort();
        }
        BridgeClient client = client("http://127.0.0.1:" + port);
        assertInTime(() -> assertInstanceOf(Creation.NoAnswer.class, client.create(request("t"))));
        assertEquals(false, client.outcome("a", USER_ID, true));
    }

    @ParameterizedTest
    @ValueSource(ints = {301, 400, 401, 403, 404, 429, 500, 503})
    void anyOtherStatusIsNoAnswer(int status) {
        try (FakeBridge bridge = FakeBridge.answering(status, "{\"valid\":true,\"username\":\"ada@example.com\",\"code\":\"x\",\"attributes\":{},\"roles\":[],\"trial\":false,\"expired\":false}")) {
            assertInstanceOf(Verification.NoAnswer.class, client(bridge.url()).verify("t"));
            assertInstanceOf(Creation.NoAnswer.class, client(bridge.url()).create(request("t")));
            assertInstanceOf(Infos.NoAnswer.class, client(bridge.url()).infos(USER_ID, "c"));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "<html>", "[]", "null", "{}", "{\"valid\":true}", "{\"valid\":\"yes\",\"username\":\"a\"}", "{\"valid\":false}",
            "{\"attributes\":{\"a\":\"b\"},\"roles\":[]}", "{\"attributes\":{},\"roles\":[1]}", "{\"trial\":true}", "{\"expired\":false}"})
    void anAnswerOutsideTheContractIsNoAnswer(String body) {
        try (FakeBridge bridge = FakeBridge.answering(200, body)) {
            assertInstanceOf(Verification.NoAnswer.class, client(bridge.url()).verify("t"));
            assertInstanceOf(Creation.NoAnswer.class, client(bridge.url()).create(request("t")));
            assertInstanceOf(Infos.NoAnswer.class, client(bridge.url()).infos(USER_ID, "c"));
        }
    }

    @Test
    void anEndlessAnswerIsNoAnswer() {
        try (FakeBridge bridge = FakeBridge.answering(200, "{\"valid\":false,\"reason\":\"" + "x".repeat(100_000) + "\"}")) {
            assertInstanceOf(Verification.NoAnswer.class, client(bridge.url()).verify("t"));
        }
    }

    @Test
    void aBridgeThatTakesOneOutcomeAtATimeIsToldEach() {
        List<BridgeClient.Outcome> two = List.of(new BridgeClient.Outcome("a", USER_ID, true), new BridgeClient.Outcome("b", USER_ID, false));
        try (FakeBridge bridge = FakeBridge.knowing("/api/trial/creation/outcome", "{\"result\":\"confirmed\"}")) {
            assertTrue(client(bridge.url()).outcomes(two));
            assertTrue(bridge.asked().body().contains("rolled_back"), bridge.asked().body());
        }
    }

    @Test
    void namesThatAreMissingAreNotSent() throws IOException {
        try (FakeBridge bridge = FakeBridge.answering(500, "{}")) {
            client(bridge.url()).create(request("t"));
            JsonNode body = JsonSerialization.mapper.readTree(bridge.asked().body());
            assertEquals(List.of("token", "username", "user_id", "attempt_id"), body.properties().stream().map(Map.Entry::getKey).toList());
        }
    }

    private static void assertInTime(Runnable call) {
        long start = System.nanoTime();
        call.run();
        long millis = (System.nanoTime() - start) / 1_000_000;
        assertTrue(millis < TOTAL_TIMEOUT_MILLIS + SLACK_MILLIS, "took " + millis + " ms");
    }

    private static Creation.Request request(String token) {
        return new Creation.Request(token, "ada@example.com", USER_ID, "a", null, " ", null, Answers.NONE);
    }

    /** Where the limit is the matter. */
    private static BridgeClient client(String url) {
        return client(url, TOTAL_TIMEOUT_MILLIS);
    }

    /** Where it is not, on a machine that is busy with something else. */
    private static BridgeClient patient(String url) {
        return client(url, BUSY_MACHINE_MILLIS);
    }

    private static BridgeClient client(String url, int totalMillis) {
        return new BridgeClient(HTTP, new BridgeSettings(url, 300, totalMillis), new BridgeBreaker(url, System::nanoTime, state -> { }), SERVICE_TOKEN, "golden-0001");
    }

    private static FakeBridge answering(Contract contract) {
        return FakeBridge.answering(contract.status(), contract.answer().toString());
    }

    private static Object call(Contract contract, BridgeClient client) {
        return switch (contract.kind()) {
            case "verify" -> contract.text("address") == null ? client.verify(contract.text("token")) : client.verify(contract.text("token"), contract.text("address"));
            case "creation" -> client.create(new Creation.Request(contract.text("token"), contract.text("username"), contract.text("user_id"),
                    contract.text("attempt_id"), contract.text("first_name"), contract.text("last_name"), contract.text("locale"), answers(contract)));
            case "outcome" -> client.outcome(contract.text("attempt_id"), contract.text("user_id"), "committed".equals(contract.text("outcome")));
            case "outcomes" -> client.outcomes(contract.request().path("body").path("outcomes").valueStream().map(one -> new BridgeClient.Outcome(
                    one.path("attempt_id").textValue(), one.path("user_id").textValue(), "committed".equals(one.path("outcome").textValue()))).toList());
            case "infos" -> client.infos(contract.query("user_id"), contract.query("client_id"));
            default -> throw new AssertionError("No Java side for " + contract);
        };
    }

    private static Answers answers(Contract contract) {
        JsonNode body = contract.request().path("body");
        Map<String, String> attributes = new LinkedHashMap<>();
        body.path("attributes").properties().forEach(one -> attributes.put(one.getKey(), one.getValue().textValue()));
        Map<String, String> consents = new LinkedHashMap<>();
        body.path("consents").forEach(one -> consents.put(one.path("id").textValue(), one.path("version").textValue()));
        return new Answers(attributes, consents);
    }

    private static Object expected(Contract contract) {
        JsonNode answer = contract.answer();
        return switch (contract.kind()) {
            case "verify" -> answer.path("valid").booleanValue()
                    ? new Verification.Verified(answer.path("username").textValue(), answer.path("first_name").textValue(), answer.path("last_name").textValue(),
                            contract.message().equals("verify-asking") ? QUESTIONS : List.of(), answer.path("address_is_invited").booleanValue())
                    : new Verification.Refused(answer.path("reason").textValue(), answer.path("product").textValue(), answer.path("username").textValue());
            case "creation" -> contract.status() == 200
                    ? new Creation.Granted(
                            Map.of("trial_stamp", List.of(answer.path("attributes").path("trial_stamp").path(0).textValue())),
                            List.of(answer.path("roles").path(0).textValue()))
                    : answer.has("field") ? new Creation.Unanswered(answer.path("field").textValue()) : new Creation.Refused(answer.path("code").textValue());
            case "outcome", "outcomes" -> true;
            case "infos" -> new Infos.Known(answer.path("trial").booleanValue(), answer.path("expired").booleanValue(),
                    answer.has("trial_ends_at") ? answer.path("trial_ends_at").longValue() : null,
                    answer.has("trial_access_until") ? answer.path("trial_access_until").longValue() : null);
            default -> throw new AssertionError("No Java side for " + contract);
        };
    }
}
