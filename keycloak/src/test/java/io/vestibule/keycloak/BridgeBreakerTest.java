package io.vestibule.keycloak;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

import org.junit.jupiter.api.Test;

class BridgeBreakerTest {

    private final AtomicLong nanos = new AtomicLong(1);
    private final List<String> turns = new ArrayList<>();
    private final BridgeBreaker breaker = new BridgeBreaker("http://localhost:1", nanos::get, turns::add);

    @Test
    void failuresInARowOpenItAndCallsAreLeftOut() {
        fail(BridgeBreaker.FAILURES_IN_A_ROW - 1);
        assertEquals(BridgeBreaker.CLOSED, breaker.state());
        fail(1);
        assertEquals(BridgeBreaker.OPEN, breaker.state());
        assertFalse(breaker.admits());
    }

    @Test
    void anAnswerBetweenBeginsTheRowAnew() {
        fail(BridgeBreaker.FAILURES_IN_A_ROW - 1);
        breaker.record(true);
        fail(BridgeBreaker.FAILURES_IN_A_ROW - 1);
        assertEquals(BridgeBreaker.CLOSED, breaker.state());
    }

    @Test
    void halfOfAWindowsCallsOpenItToo() {
        for (int call = 0; call < BridgeBreaker.WINDOW_CALLS; call++) {
            assertEquals(BridgeBreaker.CLOSED, breaker.state());
            breaker.record(call % 2 == 0);
        }
        assertEquals(BridgeBreaker.OPEN, breaker.state());
    }

    @Test
    void whatFailedInAnEarlierWindowIsForgotten() {
        for (int call = 0; call < BridgeBreaker.WINDOW_CALLS - 1; call++) {
            breaker.record(call % 2 == 0);
        }
        nanos.addAndGet(BridgeBreaker.WINDOW_NANOS);
        breaker.record(true);
        breaker.record(false);
        assertEquals(BridgeBreaker.CLOSED, breaker.state());
    }

    @Test
    void afterAPauseOneCallIsLetThroughAsATry() {
        fail(BridgeBreaker.FAILURES_IN_A_ROW);
        nanos.addAndGet(BridgeBreaker.PAUSE_NANOS - 1);
        assertFalse(breaker.isTryDue());
        assertFalse(breaker.admits());
        nanos.addAndGet(1);
        assertTrue(breaker.isTryDue());
        assertTrue(breaker.admits());
        assertEquals(BridgeBreaker.HALF_OPEN, breaker.state());
        assertFalse(breaker.admits());
        assertFalse(breaker.isTryDue());
    }

    @Test
    void aTryThatFailsBeginsThePauseAnew() {
        tryIt(false);
        assertEquals(BridgeBreaker.OPEN, breaker.state());
        nanos.addAndGet(BridgeBreaker.PAUSE_NANOS - 1);
        assertFalse(breaker.admits());
        nanos.addAndGet(1);
        assertTrue(breaker.admits());
    }

    @Test
    void anAnswerClosesItAndTheNextFailureIsTheFirst() {
        tryIt(true);
        assertEquals(BridgeBreaker.CLOSED, breaker.state());
        fail(BridgeBreaker.FAILURES_IN_A_ROW - 1);
        assertTrue(breaker.admits());
    }

    @Test
    void eachTurnIsToldOnceAndAFailedTryIsNone() {
        tryIt(false);
        nanos.addAndGet(BridgeBreaker.PAUSE_NANOS);
        breaker.admits();
        breaker.record(true);
        breaker.record(true);
        assertEquals(List.of(BridgeBreaker.OPEN, BridgeBreaker.CLOSED), turns);
    }

    @Test
    void oneBridgeHasOneForAllCalls() {
        BridgeBreaker one = BridgeBreaker.of("http://localhost:2", state -> { });
        assertSame(one, BridgeBreaker.of("http://localhost:2", state -> { }));
        long open = BridgeBreaker.countOpen();
        for (int call = 0; call < BridgeBreaker.FAILURES_IN_A_ROW; call++) {
            one.record(false);
        }
        assertEquals(open + 1, BridgeBreaker.countOpen());
        one.record(true);
        assertEquals(open, BridgeBreaker.countOpen());
    }

    private void tryIt(boolean answered) {
        fail(BridgeBreaker.FAILURES_IN_A_ROW);
        nanos.addAndGet(BridgeBreaker.PAUSE_NANOS);
        assertTrue(breaker.admits());
        breaker.record(answered);
    }

    private void fail(int times) {
        for (int call = 0; call < times; call++) {
            assertTrue(breaker.admits());
            breaker.record(false);
        }
    }
}
