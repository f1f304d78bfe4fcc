package io.vestibule.keycloak;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

import org.keycloak.authentication.AuthenticationFlowContext;
import org.keycloak.authentication.Authenticator;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.RealmModel;
import org.keycloak.models.UserModel;
import org.keycloak.sessions.AuthenticationSessionModel;
import org.keycloak.sessions.CommonClientSessionModel.ExecutionStatus;

/**
 * Lets somebody whose login page was open while another flow was bound go on where he stands. Keycloak judges the steps
 * of the flow that is bound now, knows none of them as taken, and would ask for the password again.
 *
 * <h2>Placement</h2>
 * First and REQUIRED in a flow that is the copy of another one, whose steps it knows by their ids. Only a session that
 * began before the binding can have taken those: no step runs but those of the bound flow.
 */
final class FlowSuccession implements Authenticator {

    static final String SAME_STEPS = "sameSteps";

    private static final Set<ExecutionStatus> TAKEN = Set.of(ExecutionStatus.SUCCESS, ExecutionStatus.SKIPPED, ExecutionStatus.SETUP_REQUIRED);

    @Override
    public void authenticate(AuthenticationFlowContext context) {
        AuthenticationSessionModel authSession = context.getAuthenticationSession();
        carriedOver(StepConfig.of(context.getAuthenticatorConfig()).get(SAME_STEPS), authSession.getExecutionStatus())
                .forEach(authSession::setExecutionStatus);
        context.success();
    }

    /** What was taken under a former id, under the id of today. A setting of another form carries nothing over. */
    static Map<String, ExecutionStatus> carriedOver(String setting, Map<String, ExecutionStatus> statuses) {
        Map<String, ExecutionStatus> carried = new HashMap<>();
        for (String pair : WithoutInvitation.values(setting)) {
            List<String> ids = List.of(pair.split("="));
            ExecutionStatus former = statuses.get(ids.get(0));
            if (ids.size() == 2 && former != null && TAKEN.contains(former) && !statuses.containsKey(ids.get(1))) {
                carried.put(ids.get(1), former);
            }
        }
        return carried;
    }

    @Override
    public void action(AuthenticationFlowContext context) {
        // Shows no page.
    }

    @Override
    public boolean requiresUser() {
        return false;
    }

    @Override
    public boolean configuredFor(KeycloakSession session, RealmModel realm, UserModel user) {
        return true;
    }

    @Override
    public void setRequiredActions(KeycloakSession session, RealmModel realm, UserModel user) {
        // Asks nothing of the person.
    }

    @Override
    public void close() {
        // Holds nothing.
    }
}
