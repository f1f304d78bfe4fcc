package io.vestibule.keycloak;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Metrics;

/** {@code vestibule_bridge_breakers_open} on Keycloak's /metrics: 0 while every bridge of this node answers. */
final class BreakerMetric {

    private static final String NAME = "vestibule.bridge.breakers.open";

    private BreakerMetric() {
    }

    /** Quarkus feeds Micrometer's global registry into /metrics; without metrics nothing reads it. */
    static void register() {
        Gauge.builder(NAME, BridgeBreaker::countOpen)
                .description("Bridges that this node leaves out because they did not answer")
                .register(Metrics.globalRegistry);
    }
}
