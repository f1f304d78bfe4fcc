package io.vestibule.keycloak;

import com.fasterxml.jackson.databind.JsonNode;
import jakarta.ws.rs.core.HttpHeaders;
import jakarta.ws.rs.core.Response;
import org.keycloak.util.JsonSerialization;

/** Why a call of {@link TrialsResource} changed nothing; thrown inside Keycloak's transaction, it rolls that back. */
final class KeeperRefusal extends RuntimeException {

    private final int status;
    private final String code;
    private final String title;

    private KeeperRefusal(int status, String code, String title, String detail) {
        super(detail, null, false, false);
        this.status = status;
        this.code = code;
        this.title = title;
    }

    static KeeperRefusal invalid(String detail) {
        return new KeeperRefusal(400, "invalid_request", "The request is not valid", detail);
    }

    static KeeperRefusal tooLarge(int most) {
        return new KeeperRefusal(413, "payload_too_large", "The request is too large", "A body has at most " + most + " characters.");
    }

    static KeeperRefusal unauthorized() {
        return new KeeperRefusal(401, "unauthorized", "A valid access token is needed",
                "Send an access token of the service account of " + KeeperCaller.CLIENT_ID + ", freshly fetched.");
    }

    static KeeperRefusal forbidden() {
        return new KeeperRefusal(403, "forbidden", "This caller may not do that",
                "This needs the service account of " + KeeperCaller.CLIENT_ID + " with the role " + KeeperCaller.ROLE + " of client " + KeeperCaller.AUDIENCE + ", in its roles and in its scope.");
    }

    static KeeperRefusal unknownUser() {
        return new KeeperRefusal(404, "unknown_user", "There is no such user", "Nobody has this id: the account was deleted, or its creation was rolled back.");
    }

    static KeeperRefusal notManaged(String product) {
        return new KeeperRefusal(409, "not_managed", "This account is not managed", "This user has no " + TrialStamp.ATTRIBUTE + " of " + product + ": nothing of theirs may be changed.");
    }

    static KeeperRefusal otherTrial(String product) {
        return new KeeperRefusal(409, "other_trial", "This account has another trial", "This user has a " + TrialStamp.ATTRIBUTE + " of " + product + " already, of another trial.");
    }

    static KeeperRefusal notEligible(String why) {
        return new KeeperRefusal(409, "not_eligible", "No trial can begin on this account", "This account " + why + ": nothing was changed.");
    }

    static KeeperRefusal roleNotAllowed(String roles) {
        return new KeeperRefusal(422, "role_not_allowed", "A role is not allowed",
                "Not in " + AllowList.ROLES + " of the step " + TrialTokenFormActionFactory.PROVIDER_ID + ", or not in the realm: " + roles + ". Add it there, or take it out of products.yaml.");
    }

    static KeeperRefusal misconfigured(String detail) {
        return new KeeperRefusal(503, "misconfigured", "The realm is not set up for this", detail);
    }

    String code() {
        return code;
    }

    /** RFC 9457. */
    JsonNode problem(String requestId) {
        return JsonSerialization.mapper.createObjectNode()
                .put("type", "urn:vestibule:problem:" + code)
                .put("title", title)
                .put("status", status)
                .put("detail", getMessage())
                .put("code", code)
                .put("request_id", requestId);
    }

    Response answer(String requestId) {
        Response.ResponseBuilder answer = Response.status(status)
                .type("application/problem+json")
                .header(HttpHeaders.CACHE_CONTROL, "no-store")
                .entity(problem(requestId).toString());
        return (status == 401 ? answer.header(HttpHeaders.WWW_AUTHENTICATE, "Bearer") : answer).build();
    }
}
