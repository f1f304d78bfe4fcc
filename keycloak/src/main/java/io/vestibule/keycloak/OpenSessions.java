package io.vestibule.keycloak;

import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

import org.keycloak.models.ClientModel;
import org.keycloak.models.KeycloakContext;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.RealmModel;
import org.keycloak.models.UserModel;
import org.keycloak.models.UserSessionModel;
import org.keycloak.services.managers.AuthenticationManager;
import org.keycloak.services.managers.UserSessionManager;

/** What one person has open, and its end: at some clients, or everywhere. Clients hear of it by back-channel logout. */
final class OpenSessions {

    private final KeycloakSession session;
    private final RealmModel realm;
    private final UserModel user;

    OpenSessions(KeycloakSession session, RealmModel realm, UserModel user) {
        this.session = session;
        this.realm = realm;
        this.user = user;
    }

    /**
     * Those at these clients, online and offline. A session at none but these is logged out whole, so that its cookie
     * opens nothing any more; one at others goes on.
     *
     * @return how many client sessions ended
     */
    int endAt(Set<String> clientIds) {
        List<UserSessionModel> online = session.sessions().getUserSessionsStream(realm, user).toList();
        List<UserSessionModel> offline = session.sessions().getOfflineUserSessionsStream(realm, user).toList();
        List<ClientModel> clients = clientIds.stream().map(realm::getClientByClientId).filter(Objects::nonNull).toList();
        Set<String> ids = new HashSet<>(clients.stream().map(ClientModel::getId).toList());
        List<UserSessionModel> emptied = online.stream()
                .filter(one -> !one.getAuthenticatedClientSessions().isEmpty() && ids.containsAll(one.getAuthenticatedClientSessions().keySet()))
                .toList();
        int ended = Stream.concat(online.stream(), offline.stream())
                .mapToInt(one -> (int) one.getAuthenticatedClientSessions().keySet().stream().filter(ids::contains).count()).sum();

        KeycloakContext context = session.getContext();
        UserSessionManager manager = new UserSessionManager(session);
        for (ClientModel client : clients) {
            AuthenticationManager.backchannelLogoutUserFromClient(session, realm, user, client, context.getUri(), context.getHttpRequest().getHttpHeaders());
            manager.revokeOfflineToken(user, client);
        }
        emptied.forEach(this::logOut);
        return ended;
    }

    /** @return how many client sessions ended */
    int endAll() {
        return endAt(Stream.concat(session.sessions().getUserSessionsStream(realm, user), session.sessions().getOfflineUserSessionsStream(realm, user))
                .flatMap(one -> one.getAuthenticatedClientSessions().values().stream())
                .map(one -> one.getClient().getClientId())
                .collect(Collectors.toSet()));
    }

    private void logOut(UserSessionModel one) {
        KeycloakContext context = session.getContext();
        AuthenticationManager.backchannelLogout(session, realm, one, context.getUri(), context.getConnection(), context.getHttpRequest().getHttpHeaders(), true);
    }
}
