package io.vestibule.keycloak;

import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

import org.jboss.logging.Logger;
import org.keycloak.common.util.Time;
import org.keycloak.events.EventListenerProvider;
import org.keycloak.events.EventStoreProvider;
import org.keycloak.events.admin.AdminEvent;
import org.keycloak.events.admin.AuthDetails;
import org.keycloak.events.admin.OperationType;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.KeycloakSessionFactory;
import org.keycloak.models.RealmModel;
import org.keycloak.models.utils.KeycloakModelUtils;

/**
 * Tells the realm's event listeners, and its admin events, that this node leaves calls to the bridge out, or makes them
 * again. An admin event, because nobody signed in or was refused: no type of a user's event says it.
 */
final class BreakerEvents {

    static final String RESOURCE_TYPE = "VESTIBULE_BRIDGE";
    static final String RESOURCE_PATH = "vestibule-trials/health";
    static final String UNANSWERED = "bridge_unanswered";

    private static final Logger LOG = Logger.getLogger(BreakerEvents.class);
    private static final int MAX_WAITING = 16;
    // Apart from the request in which it turns: that one may hold the last connection to the database.
    private static final ThreadPoolExecutor TELLER = teller();

    private BreakerEvents() {
    }

    static void tell(KeycloakSessionFactory factory, String realmId, String state) {
        TELLER.execute(() -> {
            try {
                KeycloakModelUtils.runJobInTransaction(factory, session -> send(session, realmId, state));
            } catch (RuntimeException | LinkageError e) {
                // The log and the metric have said it.
                LOG.warnf(e, "bridge_breaker=%s was not told as an event", state);
            }
        });
    }

    private static void send(KeycloakSession session, String realmId, String state) {
        RealmModel realm = session.realms().getRealm(realmId);
        if (realm == null) {
            return;
        }
        session.getContext().setRealm(realm);
        AdminEvent event = event(realmId, state);
        realm.getEventsListenersStream()
                .map(id -> session.getProvider(EventListenerProvider.class, id))
                .filter(Objects::nonNull)
                .forEach(listener -> listener.onEvent(event, false));
        EventStoreProvider store = session.getProvider(EventStoreProvider.class);
        if (realm.isAdminEventsEnabled() && store != null) {
            store.onEvent(event, false);
        }
    }

    private static AdminEvent event(String realmId, String state) {
        AuthDetails steps = new AuthDetails();
        steps.setRealmId(realmId);
        steps.setClientId(ServiceToken.ISSUED_FOR);
        AdminEvent event = new AdminEvent();
        event.setId(KeycloakModelUtils.generateId());
        event.setTime(Time.currentTimeMillis());
        event.setRealmId(realmId);
        event.setAuthDetails(steps);
        event.setOperationType(OperationType.ACTION);
        event.setResourceTypeAsString(RESOURCE_TYPE);
        event.setResourcePath(RESOURCE_PATH);
        event.setDetails(Map.of("breaker", state));
        if (BridgeBreaker.OPEN.equals(state)) {
            event.setError(UNANSWERED);
        }
        return event;
    }

    private static ThreadPoolExecutor teller() {
        ThreadPoolExecutor teller = new ThreadPoolExecutor(1, 1, 1, TimeUnit.MINUTES, new ArrayBlockingQueue<>(MAX_WAITING), task -> {
            Thread thread = new Thread(task, "vestibule-breaker-event");
            thread.setDaemon(true);
            return thread;
        }, new ThreadPoolExecutor.DiscardPolicy());
        teller.allowCoreThreadTimeOut(true);
        return teller;
    }
}
