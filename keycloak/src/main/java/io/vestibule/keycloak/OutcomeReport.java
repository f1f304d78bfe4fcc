package io.vestibule.keycloak;

import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

import org.jboss.logging.Logger;
import org.keycloak.models.AbstractKeycloakTransaction;

/**
 * Tells the bridge how Keycloak's transaction ended, after it has ended and from another thread: it neither delays nor
 * fails the registration. Lost reports are harmless, the bridge's reconcile job looks for itself.
 */
final class OutcomeReport extends AbstractKeycloakTransaction {

    private static final Logger LOG = Logger.getLogger(OutcomeReport.class);
    private static final int THREADS = 2;
    private static final int MAX_WAITING = 256;
    private static final ThreadPoolExecutor SENDERS = senders();

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
        send(true);
    }

    @Override
    protected void rollbackImpl() {
        send(false);
    }

    private void send(boolean committed) {
        try {
            SENDERS.execute(() -> {
                if (!bridge.outcome(attemptId, userId, committed)) {
                    LOG.infof("The bridge did not take the outcome of attempt %s; its reconcile job will look", attemptId);
                }
            });
        } catch (RejectedExecutionException e) {
            LOG.infof("Too many outcomes wait; the bridge's reconcile job will look for attempt %s", attemptId);
        }
    }

    private static ThreadPoolExecutor senders() {
        ThreadPoolExecutor senders = new ThreadPoolExecutor(THREADS, THREADS, 30, TimeUnit.SECONDS, new ArrayBlockingQueue<>(MAX_WAITING), task -> {
            Thread thread = new Thread(task, "vestibule-outcome");
            thread.setDaemon(true);
            return thread;
        });
        senders.allowCoreThreadTimeOut(true);
        return senders;
    }
}
