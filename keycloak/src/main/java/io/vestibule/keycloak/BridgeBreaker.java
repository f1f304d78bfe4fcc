package io.vestibule.keycloak;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.function.LongSupplier;

import org.jboss.logging.Logger;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.KeycloakSessionFactory;

/**
 * Leaves calls to a bridge out that does not answer, so that a dead bridge does not cost every login its time limit. One
 * per node and bridge, for all kinds of calls. Open, it lets one call through now and then: the first answer closes it.
 */
final class BridgeBreaker {

    static final String CLOSED = "closed";
    static final String OPEN = "open";
    static final String HALF_OPEN = "half_open";

    static final int FAILURES_IN_A_ROW = 5;
    static final int WINDOW_CALLS = 20;
    static final long WINDOW_NANOS = 10_000_000_000L;
    static final long PAUSE_NANOS = 2_000_000_000L;

    private static final Logger LOG = Logger.getLogger(BridgeBreaker.class);
    private static final Map<String, BridgeBreaker> BY_BRIDGE = new ConcurrentHashMap<>();

    private final String bridgeUrl;
    private final LongSupplier nanos;
    private final Consumer<String> onTurn;

    private String state = CLOSED;
    private long openedAt;
    private int failuresInARow;
    private long windowSince;
    private int calls;
    private int failures;

    /**
     * @param nanos a clock that only goes forward
     * @param onTurn hears {@link #OPEN} when calls begin to be left out, {@link #CLOSED} when they are made again
     */
    BridgeBreaker(String bridgeUrl, LongSupplier nanos, Consumer<String> onTurn) {
        this.bridgeUrl = bridgeUrl;
        this.nanos = nanos;
        this.onTurn = onTurn;
        this.windowSince = nanos.getAsLong();
    }

    /** A bridge serves one realm: that one hears of it. */
    static BridgeBreaker of(KeycloakSession session, String bridgeUrl) {
        KeycloakSessionFactory factory = session.getKeycloakSessionFactory();
        String realmId = session.getContext().getRealm().getId();
        return of(bridgeUrl, state -> BreakerEvents.tell(factory, realmId, state));
    }

    static BridgeBreaker of(String bridgeUrl, Consumer<String> onTurn) {
        return BY_BRIDGE.computeIfAbsent(bridgeUrl, url -> new BridgeBreaker(url, System::nanoTime, onTurn));
    }

    /** How many on this node are not closed. */
    static long countOpen() {
        return BY_BRIDGE.values().stream().filter(breaker -> !CLOSED.equals(breaker.state())).count();
    }

    /** Whether a call may be made now; whoever was let through has to {@link #record} what came of it. */
    synchronized boolean admits() {
        if (CLOSED.equals(state)) {
            return true;
        }
        if (!isTryDue()) {
            return false;
        }
        state = HALF_OPEN;
        return true;
    }

    /** Whether the next call would be let through as a try. */
    synchronized boolean isTryDue() {
        return OPEN.equals(state) && nanos.getAsLong() - openedAt >= PAUSE_NANOS;
    }

    /** @param answered whether the bridge answered in time and did not fail; a refusal is an answer */
    synchronized void record(boolean answered) {
        if (answered) {
            failuresInARow = 0;
            if (!CLOSED.equals(state)) {
                close();
            }
            count(0);
            return;
        }
        failuresInARow++;
        count(1);
        if (HALF_OPEN.equals(state)) {
            state = OPEN;
            openedAt = nanos.getAsLong();
        } else if (CLOSED.equals(state) && (failuresInARow >= FAILURES_IN_A_ROW || calls >= WINDOW_CALLS && failures * 2 >= calls)) {
            open();
        }
    }

    private void count(int failed) {
        if (nanos.getAsLong() - windowSince >= WINDOW_NANOS) {
            windowSince = nanos.getAsLong();
            calls = 0;
            failures = 0;
        }
        calls++;
        failures += failed;
    }

    private void open() {
        state = OPEN;
        openedAt = nanos.getAsLong();
        LOG.warnf("bridge_breaker=open: %s failed %d times in a row, %d of the last %d calls. Calls are left out: registrations are refused, stamps decide who may sign in. It is tried again every %d s",
                bridgeUrl, failuresInARow, failures, calls, PAUSE_NANOS / 1_000_000_000L);
        onTurn.accept(OPEN);
    }

    private void close() {
        state = CLOSED;
        calls = 0;
        failures = 0;
        LOG.infof("bridge_breaker=closed: %s answers again", bridgeUrl);
        onTurn.accept(CLOSED);
    }

    synchronized String state() {
        return state;
    }
}
