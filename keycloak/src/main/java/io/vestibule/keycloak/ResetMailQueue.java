package io.vestibule.keycloak;

import java.util.Optional;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

import org.jboss.logging.Logger;
import org.keycloak.models.AbstractKeycloakTransaction;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.KeycloakSessionFactory;
import org.keycloak.models.utils.KeycloakModelUtils;

/**
 * Reset mails that wait to be sent, in memory: they outlive a mail server that is down for some minutes, not a crash of
 * Keycloak. Who asked asks again.
 */
final class ResetMailQueue {

    // Each holds a database connection while the mail server takes its time.
    private static final int THREADS = 2;
    private static final int MAX_WAITING = 1_000;
    private static final int[] RETRY_AFTER_SECONDS = {2, 10, 30, 120, 300};
    private static final int CLOSE_WITHIN_SECONDS = 5;
    private static final Logger LOG = Logger.getLogger(ResetMailQueue.class);

    private final ScheduledThreadPoolExecutor senders = senders();
    private final Semaphore room = new Semaphore(MAX_WAITING);

    /** Once the request's transaction is committed; the request neither waits nor fails. */
    void addAfterCompletion(KeycloakSession session, ResetMail mail) {
        KeycloakSessionFactory factory = session.getKeycloakSessionFactory();
        AbstractKeycloakTransaction addition = new AbstractKeycloakTransaction() {
            @Override
            protected void commitImpl() {
                add(factory, mail);
            }

            @Override
            protected void rollbackImpl() {
                // The person saw an error page.
            }
        };
        addition.begin();
        session.getTransactionManager().enlistAfterCompletion(addition);
    }

    private void add(KeycloakSessionFactory factory, ResetMail mail) {
        if (!room.tryAcquire()) {
            LOG.errorf("%d password resets wait already, this one is dropped. Is the mail server down? request_id=%s", MAX_WAITING, mail.requestId());
            return;
        }
        schedule(factory, mail, 0);
    }

    private void schedule(KeycloakSessionFactory factory, ResetMail mail, int tries) {
        int seconds = tries == 0 ? 0 : RETRY_AFTER_SECONDS[tries - 1];
        try {
            senders.schedule(() -> attempt(factory, mail, tries + 1), seconds, TimeUnit.SECONDS);
        } catch (RejectedExecutionException e) {
            LOG.warnf("A password reset is dropped, since Keycloak stops. request_id=%s", mail.requestId());
        }
    }

    private void attempt(KeycloakSessionFactory factory, ResetMail mail, int tries) {
        Optional<? extends Throwable> failure = send(factory, mail);
        if (failure.isEmpty()) {
            room.release();
        } else if (tries <= RETRY_AFTER_SECONDS.length) {
            LOG.warnf(failure.get(), "A password reset mail could not be sent and is tried again in %d s. request_id=%s", RETRY_AFTER_SECONDS[tries - 1], mail.requestId());
            schedule(factory, mail, tries);
        } else {
            room.release();
            LOG.errorf(failure.get(), "A password reset mail could not be sent in %d tries and is given up. Is the realm's mail server right? request_id=%s", tries, mail.requestId());
        }
    }

    private static Optional<? extends Throwable> send(KeycloakSessionFactory factory, ResetMail mail) {
        try {
            return KeycloakModelUtils.runJobInTransactionWithResult(factory, mail::send);
        } catch (RuntimeException | LinkageError e) {
            // A database that is away, or a Keycloak that has changed: an executor would swallow it.
            return Optional.of(e);
        }
    }

    /** What is being sent is finished; what waits for another try is lost. */
    void close() {
        senders.shutdown();
        try {
            senders.awaitTermination(CLOSE_WITHIN_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        int lost = MAX_WAITING - room.availablePermits();
        if (lost > 0) {
            LOG.warnf("Keycloak stops with %d password reset mails unsent", lost);
        }
    }

    private static ScheduledThreadPoolExecutor senders() {
        ScheduledThreadPoolExecutor senders = new ScheduledThreadPoolExecutor(THREADS, task -> {
            Thread thread = new Thread(task, "vestibule-reset-mail");
            thread.setDaemon(true);
            return thread;
        });
        senders.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
        return senders;
    }
}
