package io.vestibule.keycloak;

import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

import org.keycloak.authentication.AuthenticationFlowContext;
import org.keycloak.models.UserModel;

/**
 * Asks the bridge about a person's trial while Keycloak hashes the password they sent: the answer is there when
 * TrialExpirationAuthenticator wants it, and a login takes no longer for having a trial (docs/decisions/0029).
 * An answer serves the request in which it was asked for and no other; a wrong password lets it go unread.
 */
final class EarlyInfos {

    private static final int MOST_AT_ONCE = 32;
    private static final ThreadPoolExecutor ASKING = threads();

    // By realm: how its step asked last. The form knows nothing of that step's configuration.
    private static final Map<String, BridgeSettings> LAST = new ConcurrentHashMap<>();

    private final Question question;
    private final CompletableFuture<Infos> answer;

    private EarlyInfos(Question question, CompletableFuture<Infos> answer) {
        this.question = question;
        this.answer = answer;
    }

    /** Begins to ask, if the person is stamped for the client and the realm's step has asked before. */
    static void begin(AuthenticationFlowContext context, UserModel user) {
        BridgeSettings settings = LAST.get(context.getRealm().getId());
        if (settings == null) {
            return;
        }
        Question question = Question.of(context, settings, user);
        if (TrialStamp.of(user, question.clientId).isEmpty()) {
            return;
        }
        BridgeClient bridge = BridgeClient.of(context.getSession(), settings, RequestId.of(context.getAuthenticationSession()));
        try {
            CompletableFuture<Infos> answer = CompletableFuture.supplyAsync(() -> bridge.infos(question.userId, question.clientId), ASKING);
            context.getSession().setAttribute(EarlyInfos.class.getName(), new EarlyInfos(question, answer));
        } catch (RejectedExecutionException e) {
            // Too many at once: the step asks for itself.
        }
    }

    /** What was asked for in this request, or is asked for now. */
    static Infos answer(AuthenticationFlowContext context, BridgeSettings settings) {
        LAST.put(context.getRealm().getId(), settings);
        Question question = Question.of(context, settings, context.getUser());
        EarlyInfos early = context.getSession().getAttribute(EarlyInfos.class.getName(), EarlyInfos.class);
        return early != null && early.question.equals(question)
                ? early.answer.join()
                : BridgeClient.of(context.getSession(), settings, RequestId.of(context.getAuthenticationSession())).infos(question.userId, question.clientId);
    }

    private static ThreadPoolExecutor threads() {
        return new ThreadPoolExecutor(0, MOST_AT_ONCE, 30, TimeUnit.SECONDS, new SynchronousQueue<>(), task -> {
            Thread thread = new Thread(task, "vestibule-infos");
            thread.setDaemon(true);
            return thread;
        });
    }

    private record Question(BridgeSettings settings, String userId, String clientId) {

        static Question of(AuthenticationFlowContext context, BridgeSettings settings, UserModel user) {
            return new Question(settings, user.getId(), context.getAuthenticationSession().getClient().getClientId());
        }
    }
}
