package io.vestibule.keycloak;

import java.io.IOException;
import java.io.InputStream;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

import com.fasterxml.jackson.databind.JsonNode;
import org.apache.http.HttpEntity;
import org.apache.http.client.config.RequestConfig;
import org.apache.http.client.methods.CloseableHttpResponse;
import org.apache.http.client.methods.HttpGet;
import org.apache.http.client.methods.HttpPost;
import org.apache.http.client.methods.HttpRequestBase;
import org.apache.http.entity.ContentType;
import org.apache.http.entity.StringEntity;
import org.apache.http.impl.client.CloseableHttpClient;
import org.keycloak.connections.httpclient.HttpClientProvider;
import org.keycloak.models.KeycloakSession;
import org.keycloak.util.JsonSerialization;

/**
 * The only class that speaks HTTP to the bridge. The messages are the files of {@code test/contract}.
 * Answers are values; a bridge that does not answer in time, or answers something else, is one of them.
 *
 * <h2>Placement</h2>
 * Called by TrialTokenAuthenticator (verify), TrialAccount (creation, outcome) and TrialExpirationAuthenticator (infos), inside Keycloak's request and its database transaction: hence the hard limit on the time it may take, and the
 * breaker that leaves calls out while the bridge is dead.
 */
final class BridgeClient {

    private static final Pattern QUESTION_FIELD = Pattern.compile("(attributes|consents)\\..+");
    static final int MAX_OUTCOMES = 50;

    private static final int MAX_ANSWER_BYTES = 64 * 1024;

    // Socket timeouts count per read, so a bridge that drips bytes would hold the request for ever: this cuts it.
    private static final ScheduledThreadPoolExecutor TIMER = timer();

    private final CloseableHttpClient http;
    private final BridgeSettings settings;
    private final BridgeBreaker breaker;
    private final ServiceToken serviceToken;
    private final String requestId;

    /** Seam for tests; {@link #of} is what Keycloak's steps use. */
    BridgeClient(CloseableHttpClient http, BridgeSettings settings, BridgeBreaker breaker, ServiceToken serviceToken, String requestId) {
        this.http = http;
        this.settings = settings;
        this.breaker = breaker;
        this.serviceToken = serviceToken;
        this.requestId = requestId;
    }

    /**
     * A client for one step. It keeps nothing of the session, so it may be used after the session is closed.
     * What a call costs, its signature too, is paid by the thread that makes it.
     */
    static BridgeClient of(KeycloakSession session, BridgeSettings settings, String requestId) {
        // The provider owns this client and its pool: it is never closed here.
        CloseableHttpClient http = session.getProvider(HttpClientProvider.class).getHttpClient();
        return new BridgeClient(http, settings, BridgeBreaker.of(session, settings.bridgeUrl()), ServiceToken.of(session), requestId);
    }

    /** Asks about an invitation. Looking never uses it up. */
    Verification verify(String token) {
        return verify(token, null);
    }

    /** @param address somebody else's word for the invited one, or null: only the bridge knows when two are the same */
    Verification verify(String token, String address) {
        Reply reply = post("/api/trial/verify", address == null ? Map.of("token", token) : Map.of("token", token, "address", address));
        if (reply.status != 200) {
            return new Verification.NoAnswer(reply.cause());
        }
        JsonNode body = reply.body;
        if (body.path("valid").isBoolean()) {
            String username = text(body, "username");
            String reason = text(body, "reason");
            if (body.path("valid").booleanValue() && username != null) {
                return new Verification.Verified(username, text(body, "first_name"), text(body, "last_name"), questions(body), body.path("address_is_invited").booleanValue());
            }
            if (!body.path("valid").booleanValue() && reason != null) {
                return new Verification.Refused(reason, text(body, "product"), text(body, "username"));
            }
        }
        return new Verification.NoAnswer("verify answered something that is not in the contract");
    }

    /** Reserves the invitation and provisions the trial, while Keycloak's transaction is open. */
    Creation create(Creation.Request request) {
        Map<String, Object> body = new LinkedHashMap<>();
        body.put("token", request.token());
        body.put("username", request.username());
        body.put("user_id", request.userId());
        body.put("attempt_id", request.attemptId());
        putIfGiven(body, "first_name", request.firstName());
        putIfGiven(body, "last_name", request.lastName());
        putIfGiven(body, "locale", request.locale());
        if (!request.answers().attributes().isEmpty()) {
            body.put("attributes", request.answers().attributes());
        }
        if (!request.answers().consents().isEmpty()) {
            body.put("consents", request.answers().consents().entrySet().stream().map(one -> Map.of("id", one.getKey(), "version", one.getValue())).toList());
        }
        Reply reply = post("/api/trial/creation", body);
        String code = text(reply.body, "code");
        if ((reply.status == 409 || reply.status == 410) && code != null) {
            return new Creation.Refused(code);
        }
        String field = text(reply.body, "field");
        if (reply.status == 400 && field != null && QUESTION_FIELD.matcher(field).matches()) {
            return new Creation.Unanswered(field);
        }
        if (reply.status != 200) {
            return new Creation.NoAnswer(reply.cause());
        }
        Map<String, List<String>> attributes = attributes(reply.body.path("attributes"));
        List<String> roles = texts(reply.body.path("roles"));
        if (attributes == null || roles == null) {
            return new Creation.NoAnswer("creation answered something that is not in the contract");
        }
        return new Creation.Granted(attributes, roles);
    }

    /** Tells how Keycloak's transaction ended. Best effort: the bridge's reconcile job decides without it too. */
    boolean outcome(String attemptId, String userId, boolean committed) {
        return outcome(new Outcome(attemptId, userId, committed));
    }

    /** Of several registrations, at most {@value #MAX_OUTCOMES}, in one call; a bridge that does not know it yet is told each. */
    boolean outcomes(List<Outcome> outcomes) {
        if (outcomes.size() == 1) {
            return outcome(outcomes.get(0));
        }
        int status = post("/api/trial/creation/outcomes", Map.of("outcomes", outcomes.stream().map(BridgeClient::body).toList())).status;
        return status == 404 ? outcomes.stream().filter(one -> !outcome(one)).count() == 0 : status == 200;
    }

    private boolean outcome(Outcome outcome) {
        return post("/api/trial/creation/outcome", body(outcome)).status == 200;
    }

    private static Map<String, Object> body(Outcome outcome) {
        Map<String, Object> body = new LinkedHashMap<>();
        body.put("attempt_id", outcome.attemptId());
        body.put("user_id", outcome.userId());
        body.put("outcome", outcome.committed() ? "committed" : "rolled_back");
        return body;
    }

    /** Whether calls of the other go to the same bridge with the same proof. */
    boolean speaksAs(BridgeClient other) {
        return settings.equals(other.settings) && serviceToken.issuer().equals(other.serviceToken.issuer());
    }

    /** Asks whether a person's trial at a client is over. */
    Infos infos(String userId, String clientId) {
        Reply reply = call(new HttpGet(settings.bridgeUrl() + "/api/trial/infos?user_id=" + encode(userId) + "&client_id=" + encode(clientId)));
        JsonNode body = reply.body;
        if (reply.status != 200 || !body.path("trial").isBoolean() || !body.path("expired").isBoolean()) {
            return new Infos.NoAnswer(reply.status == 200 ? "infos answered something that is not in the contract" : reply.cause());
        }
        return new Infos.Known(body.path("trial").booleanValue(), body.path("expired").booleanValue(),
                seconds(body, "trial_ends_at"), seconds(body, "trial_access_until"));
    }

    private Reply post(String path, Map<String, ?> body) {
        HttpPost request = new HttpPost(settings.bridgeUrl() + path);
        try {
            request.setEntity(new StringEntity(JsonSerialization.writeValueAsString(body), ContentType.APPLICATION_JSON));
        } catch (IOException e) {
            throw new IllegalStateException("A map of texts is always JSON", e);
        }
        return call(request);
    }

    private Reply call(HttpRequestBase request) {
        if (!breaker.admits()) {
            return new Reply(0, JsonSerialization.mapper.createObjectNode(), "left out: the bridge did not answer lately");
        }
        boolean answered = false;
        try {
            Reply reply = send(request);
            answered = reply.isOfALiveBridge();
            return reply;
        } finally {
            breaker.record(answered);
        }
    }

    private Reply send(HttpRequestBase request) {
        request.setConfig(RequestConfig.custom()
                .setConnectTimeout(settings.connectTimeoutMillis())
                .setConnectionRequestTimeout(settings.totalTimeoutMillis())
                .setSocketTimeout(settings.totalTimeoutMillis())
                .setRedirectsEnabled(false)
                .build());
        request.setHeader("Accept", "application/json");
        request.setHeader("Authorization", "Bearer " + serviceToken.text());
        request.setHeader("X-Request-Id", requestId);
        ScheduledFuture<?> abort = TIMER.schedule(request::abort, settings.totalTimeoutMillis(), TimeUnit.MILLISECONDS);
        try (CloseableHttpResponse response = http.execute(request)) {
            return new Reply(response.getStatusLine().getStatusCode(), json(response.getEntity()), null);
        } catch (IOException | RuntimeException e) {
            String limit = request.isAborted() ? "cut after " + settings.totalTimeoutMillis() + " ms: " : "";
            return new Reply(0, JsonSerialization.mapper.createObjectNode(), limit + e);
        } finally {
            abort.cancel(false);
            // A body that was not read to its end would keep the connection; aborting gives it back.
            request.abort();
        }
    }

    private static JsonNode json(HttpEntity entity) throws IOException {
        if (entity == null) {
            return JsonSerialization.mapper.createObjectNode();
        }
        try (InputStream in = entity.getContent()) {
            byte[] bytes = in.readNBytes(MAX_ANSWER_BYTES + 1);
            if (bytes.length > MAX_ANSWER_BYTES) {
                throw new IOException("answer larger than " + MAX_ANSWER_BYTES + " bytes");
            }
            JsonNode node = JsonSerialization.mapper.readTree(bytes);
            if (!node.isObject()) {
                throw new IOException("answer is not a JSON object");
            }
            return node;
        }
    }

    /** What is asked and was not given with the address. */
    private static List<Question> questions(JsonNode body) {
        List<Question> questions = new ArrayList<>();
        for (String kind : List.of("attributes", "consents")) {
            for (JsonNode asked : body.path(kind)) {
                String id = text(asked, "id");
                String label = text(asked, "label");
                String version = text(asked, "version");
                if (id != null && label != null && !asked.path("given").asBoolean() && "consents".equals(kind) == (version != null)) {
                    Map<String, String> labels = new LinkedHashMap<>();
                    asked.path("labels").properties().forEach(one -> labels.put(one.getKey(), one.getValue().asText()));
                    questions.add(new Question(kind + "." + id, version, text(asked, "url"), label, labels, asked.path("required").asBoolean(), asked.path("max_length").asInt()));
                }
            }
        }
        return List.copyOf(questions);
    }

    private static Map<String, List<String>> attributes(JsonNode node) {
        if (!node.isObject()) {
            return null;
        }
        Map<String, List<String>> attributes = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> field : node.properties()) {
            List<String> values = texts(field.getValue());
            if (values == null) {
                return null;
            }
            attributes.put(field.getKey(), values);
        }
        return attributes;
    }

    private static List<String> texts(JsonNode node) {
        if (!node.isArray()) {
            return null;
        }
        List<String> values = new ArrayList<>();
        for (JsonNode value : node) {
            if (!value.isTextual()) {
                return null;
            }
            values.add(value.textValue());
        }
        return List.copyOf(values);
    }

    private static String text(JsonNode body, String field) {
        String value = body.path(field).textValue();
        return value == null || value.isBlank() ? null : value;
    }

    private static Long seconds(JsonNode body, String field) {
        return body.path(field).isIntegralNumber() ? body.path(field).longValue() : null;
    }

    private static void putIfGiven(Map<String, Object> body, String key, String value) {
        if (value != null && !value.isBlank()) {
            body.put(key, value);
        }
    }

    private static String encode(String value) {
        return URLEncoder.encode(value, StandardCharsets.UTF_8);
    }

    private static ScheduledThreadPoolExecutor timer() {
        ScheduledThreadPoolExecutor timer = new ScheduledThreadPoolExecutor(1, task -> {
            Thread thread = new Thread(task, "vestibule-bridge-timer");
            thread.setDaemon(true);
            return thread;
        });
        timer.setRemoveOnCancelPolicy(true);
        return timer;
    }

    /** How Keycloak's transaction ended for one attempt. */
    record Outcome(String attemptId, String userId, boolean committed) {
    }

    /** @param status 0 when there was no answer */
    private record Reply(int status, JsonNode body, String failure) {

        /** A refusal is an answer; a bridge that failed, or a gateway before it, is none. */
        boolean isOfALiveBridge() {
            return status > 0 && status < 500;
        }

        String cause() {
            return failure != null ? failure : "status " + status + " " + body.path("code").asText("");
        }
    }
}
