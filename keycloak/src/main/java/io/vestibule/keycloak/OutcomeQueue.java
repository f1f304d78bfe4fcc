package io.vestibule.keycloak;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

import org.jboss.logging.Logger;

/** Outcomes on their way to the bridge. In a rush, those of a moment go together: nobody waits for them, and a call costs more than what it says. */
final class OutcomeQueue {

    private static final Logger LOG = Logger.getLogger(OutcomeQueue.class);
    private static final int THREADS = 2;
    private static final int MAX_WAITING = 1_024;
    private static final long TOGETHER_MILLIS = 200;
    private static final ScheduledThreadPoolExecutor SENDERS = senders();
    // Guarded by itself.
    private static final Deque<Waiting> WAITING = new ArrayDeque<>();

    private OutcomeQueue() {
    }

    static void add(BridgeClient bridge, BridgeClient.Outcome outcome) {
        synchronized (WAITING) {
            if (WAITING.size() == MAX_WAITING) {
                LOG.infof("Too many outcomes wait; the bridge's reconcile job will look for attempt %s", outcome.attemptId());
                return;
            }
            WAITING.add(new Waiting(bridge, outcome));
            if (WAITING.size() == 1) {
                SENDERS.schedule(OutcomeQueue::send, TOGETHER_MILLIS, TimeUnit.MILLISECONDS);
            }
        }
    }

    private static void send() {
        for (List<Waiting> batch = next(); !batch.isEmpty(); batch = next()) {
            List<BridgeClient.Outcome> outcomes = batch.stream().map(Waiting::outcome).toList();
            if (!tell(batch.get(0).bridge, outcomes)) {
                LOG.infof("The bridge did not take the outcomes of attempts %s; its reconcile job will look", outcomes.stream().map(BridgeClient.Outcome::attemptId).toList());
            }
        }
    }

    private static boolean tell(BridgeClient bridge, List<BridgeClient.Outcome> outcomes) {
        try {
            return bridge.outcomes(outcomes);
        } catch (RuntimeException e) {
            // What waits behind it must go all the same.
            LOG.error("Outcomes were not sent", e);
            return false;
        }
    }

    /** The first, and others that go to the same bridge with the same proof. */
    private static List<Waiting> next() {
        List<Waiting> batch = new ArrayList<>();
        synchronized (WAITING) {
            Iterator<Waiting> all = WAITING.iterator();
            while (all.hasNext() && batch.size() < BridgeClient.MAX_OUTCOMES) {
                Waiting one = all.next();
                if (batch.isEmpty() || one.bridge.speaksAs(batch.get(0).bridge)) {
                    batch.add(one);
                    all.remove();
                }
            }
        }
        return batch;
    }

    private static ScheduledThreadPoolExecutor senders() {
        return new ScheduledThreadPoolExecutor(THREADS, task -> {
            Thread thread = new Thread(task, "vestibule-outcome");
            thread.setDaemon(true);
            return thread;
        });
    }

    private record Waiting(BridgeClient bridge, BridgeClient.Outcome outcome) {
    }
}
