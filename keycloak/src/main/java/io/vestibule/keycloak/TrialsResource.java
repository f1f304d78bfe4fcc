package io.vestibule.keycloak;

import java.io.IOException;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;

import com.fasterxml.jackson.databind.JsonNode;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.DELETE;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.PUT;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.PathParam;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.HttpHeaders;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import org.jboss.logging.Logger;
import org.keycloak.common.util.Time;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.utils.KeycloakModelUtils;
import org.keycloak.util.JsonSerialization;

/**
 * All that the bridge may change in Keycloak about people who are there, and the state of the calls to the bridge. The
 * messages are the files of {@code test/contract/keeper}; docs/decisions/0046 says why the bridge has no admin rights.
 *
 * <h2>Placement</h2>
 * Below {@code /realms/{realm}/vestibule-trials}. Every write is one transaction of Keycloak's, which has committed
 * before the answer leaves, and one log line: never an address or a token.
 */
public class TrialsResource {

    private static final Logger LOG = Logger.getLogger(TrialsResource.class);
    private static final String REQUEST_ID = "X-Request-Id";
    private static final int MOST_BODY_CHARACTERS = 16 * 1024;

    private final KeycloakSession session;

    TrialsResource(KeycloakSession session) {
        this.session = session;
    }

    /** Of this node. 503 while calls to the bridge are left out. */
    @GET
    @Path("health")
    @Produces(MediaType.APPLICATION_JSON)
    public Response health() {
        try {
            String breaker = BridgeHealth.look(session);
            return answer(BridgeBreaker.CLOSED.equals(breaker) ? 200 : 503, BridgeHealth.words(breaker));
        } catch (KeeperRefusal refusal) {
            return refusal.answer(requestId());
        }
    }

    @PUT
    @Path("users/{id}/stamp")
    @Consumes(MediaType.APPLICATION_JSON)
    @Produces(MediaType.APPLICATION_JSON)
    public Response keepStamp(@PathParam("id") String userId, String body) {
        return guarded("keep_stamp", userId, body, json -> {
            KeepRequest request = KeepRequest.from(json);
            return inTransaction(inner -> TrialKeeping.keep(inner, userId, request), TrialKeeping.Kept::words);
        });
    }

    @POST
    @Path("users/{id}/stamp")
    @Consumes(MediaType.APPLICATION_JSON)
    @Produces(MediaType.APPLICATION_JSON)
    public Response beginStamp(@PathParam("id") String userId, String body) {
        return guarded("begin_stamp", userId, body, json -> {
            KeepRequest request = KeepRequest.from(json);
            String username = KeepRequest.username(json);
            return inTransaction(inner -> TrialJoining.begin(inner, userId, username, request), TrialKeeping.Kept::words);
        });
    }

    @POST
    @Path("users/{id}/sessions/end")
    @Consumes(MediaType.APPLICATION_JSON)
    @Produces(MediaType.APPLICATION_JSON)
    public Response endSessions(@PathParam("id") String userId, String body) {
        return guarded("end_sessions", userId, body, json -> {
            String product = KeepRequest.product(json);
            return inTransaction(inner -> TrialLeaving.endSessions(inner, userId, product, nowSeconds()), TrialLeaving::ended);
        });
    }

    @DELETE
    @Path("users/{id}")
    @Consumes(MediaType.APPLICATION_JSON)
    @Produces(MediaType.APPLICATION_JSON)
    public Response remove(@PathParam("id") String userId, String body) {
        return guarded("remove", userId, body, json -> {
            String product = KeepRequest.product(json);
            return inTransaction(inner -> TrialLeaving.remove(inner, userId, product, nowSeconds()), TrialLeaving::result);
        });
    }

    private Response guarded(String call, String userId, String body, Function<JsonNode, Map<String, ?>> change) {
        String requestId = requestId();
        try {
            KeeperCaller.demand(session);
            JsonNode json = json(body);
            Map<String, ?> result = change.apply(json);
            LOG.infof("%s product=%s user_id=%s %s request_id=%s", call, loggable(json.path("product").asText()), loggable(userId), result, requestId);
            return answer(200, result);
        } catch (KeeperRefusal refusal) {
            LOG.infof("%s user_id=%s refused: %s request_id=%s", call, loggable(userId), refusal.code(), requestId);
            return refusal.answer(requestId);
        }
    }

    /** Another transaction than the request's own, so that it has committed when the answer says so. */
    private <Result> Map<String, ?> inTransaction(Function<KeycloakSession, Result> change, Function<Result, Map<String, ?>> words) {
        AtomicReference<Result> result = new AtomicReference<>();
        KeycloakModelUtils.runJobInTransaction(session.getKeycloakSessionFactory(), session.getContext(), inner -> result.set(change.apply(inner)));
        return words.apply(result.get());
    }

    private static JsonNode json(String body) {
        if (body != null && body.length() > MOST_BODY_CHARACTERS) {
            throw KeeperRefusal.tooLarge(MOST_BODY_CHARACTERS);
        }
        try {
            JsonNode json = JsonSerialization.mapper.readTree(body == null ? "" : body);
            if (json != null && json.isObject()) {
                return json;
            }
        } catch (IOException e) {
            // Said below.
        }
        throw KeeperRefusal.invalid("The body has to be a JSON object.");
    }

    private static Response answer(int status, Map<String, ?> body) {
        return Response.status(status).type(MediaType.APPLICATION_JSON_TYPE).header(HttpHeaders.CACHE_CONTROL, "no-store")
                .entity(JsonSerialization.mapper.valueToTree(body).toString()).build();
    }

    private String requestId() {
        String given = session.getContext().getHttpRequest().getHttpHeaders().getHeaderString(REQUEST_ID);
        return RequestId.isWellFormed(given) ? given : UUID.randomUUID().toString();
    }

    private static String loggable(String value) {
        return RequestId.isWellFormed(value) ? value : "(not an id)";
    }

    private static long nowSeconds() {
        return Time.currentTimeMillis() / 1_000;
    }
}
