package io.vestibule.keycloak;

import org.keycloak.models.AbstractKeycloakTransaction;

/**
 * Tells the bridge how Keycloak's transaction ended, after it has ended and from another thread: it neither delays nor
 * fails the registration. Lost reports are harmless, the bridge's reconcile job looks for itself.
 */
final class OutcomeReport extends AbstractKeycloakTransaction {

    private final BridgeClient bridge;
    private final String attemptId;
    private final String userId;

    /** @param bridge made while the session was open: its token and connection pool outlive the session */
    OutcomeReport(BridgeClient bridge, String attemptId, String userId) {
        this.bridge = bridge;
        this.attemptId = attemptId;
        this.userId = userId;
    }

    @Override
    protected void commitImpl() {
        OutcomeQueue.add(bridge, new BridgeClient.Outcome(attemptId, userId, true));
    }

    @Override
    protected void rollbackImpl() {
        OutcomeQueue.add(bridge, new BridgeClient.Outcome(attemptId, userId, false));
    }
}
