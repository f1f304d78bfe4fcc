package io.vestibule.keycloak;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

import org.jboss.logging.Logger;
import org.keycloak.common.ClientConnection;
import org.keycloak.common.util.Time;
import org.keycloak.events.EventBuilder;
import org.keycloak.events.EventType;
import org.keycloak.models.AdminRoles;
import org.keycloak.models.ClientModel;
import org.keycloak.models.Constants;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.RealmModel;
import org.keycloak.models.RoleModel;
import org.keycloak.models.UserModel;
import org.keycloak.models.UserSessionModel;
import org.keycloak.models.utils.RoleUtils;
import org.keycloak.services.managers.UserSessionManager;
import org.keycloak.storage.StorageId;

/**
 * The accounts that hold an invited address, as e-mail or as username. One that never proved it must not keep the
 * invited person out (pre-hijack, docs/security): it is set aside, not deleted, in the transaction that creates the
 * invited person's account, and a rollback of that one rolls it back.
 */
final class AddressHolders {

    private static final Logger LOG = Logger.getLogger(AddressHolders.class);
    private static final Set<String> ADMIN_REALM_ROLES = Set.of(AdminRoles.ADMIN, AdminRoles.CREATE_REALM);

    private final KeycloakSession session;
    private final RealmModel realm;
    private final String address;
    private final List<UserModel> holders;

    private AddressHolders(KeycloakSession session, RealmModel realm, String address, List<UserModel> holders) {
        this.session = session;
        this.realm = realm;
        this.address = address;
        this.holders = holders;
    }

    /** Looks once in a request: who comes between its steps meets the unique constraints. */
    static AddressHolders of(KeycloakSession session, RealmModel realm, String address) {
        AddressHolders seen = session.getAttribute(AddressHolders.class.getName(), AddressHolders.class);
        if (seen == null || !seen.address.equals(address) || !seen.realm.getId().equals(realm.getId())) {
            seen = look(session, realm, address);
            session.setAttribute(AddressHolders.class.getName(), seen);
        }
        return seen;
    }

    private static AddressHolders look(KeycloakSession session, RealmModel realm, String address) {
        Map<String, UserModel> holders = new LinkedHashMap<>();
        for (UserModel holder : new UserModel[] {session.users().getUserByUsername(realm, address), session.users().getUserByEmail(realm, address)}) {
            if (holder != null) {
                holders.put(holder.getId(), holder);
            }
        }
        return new AddressHolders(session, realm, address, List.copyOf(holders.values()));
    }

    /** True: somebody proved the address, or holds it in an account that is not ours to touch. They sign in. */
    boolean isKnown() {
        return holders.stream().anyMatch(holder -> !mayBeSetAside(holder));
    }

    boolean isEmpty() {
        return holders.isEmpty();
    }

    /** Takes name, address, sessions and use from every holder. Only when {@link #isKnown} is false. */
    void setAside(ClientConnection connection, String requestId) {
        for (UserModel holder : holders) {
            setAside(holder, connection, requestId);
        }
    }

    private void setAside(UserModel holder, ClientConnection connection, String requestId) {
        holder.setEnabled(false);
        holder.setUsername("set-aside-" + holder.getId());
        holder.setEmail(null);
        session.users().setNotBeforeForUser(realm, holder, Math.toIntExact(Time.currentTimeMillis() / 1_000));
        UserSessionManager offline = new UserSessionManager(session);
        for (UserSessionModel userSession : session.sessions().getOfflineUserSessionsStream(realm, holder).toList()) {
            offline.revokeOfflineUserSession(userSession);
        }
        session.sessions().removeUserSessions(realm, holder);
        new EventBuilder(realm, session, connection)
                .event(EventType.UPDATE_PROFILE)
                .user(holder)
                .detail("reason", "trial_set_aside")
                .detail(RequestId.EVENT_DETAIL, requestId)
                .success();
        LOG.warnf("Account %s held an invited address that it never proved: set aside (disabled, renamed set-aside-%s). request_id=%s",
                holder.getId(), holder.getId(), requestId);
    }

    private boolean mayBeSetAside(UserModel holder) {
        return !holder.isEmailVerified()
                && StorageId.isLocalStorage(holder.getId())
                && holder.getFederationLink() == null
                && holder.getServiceAccountClientLink() == null
                && !TrialStamp.isOn(holder)
                && !isAdministrator(holder);
    }

    static boolean isAdministrator(UserModel holder) {
        return RoleUtils.getDeepUserRoleMappings(holder).stream().anyMatch(AddressHolders::isAdministrative);
    }

    private static boolean isAdministrative(RoleModel role) {
        if (role.getContainer() instanceof ClientModel client) {
            // In the master realm every realm has a client "<realm>-realm" with the same roles.
            return Constants.REALM_MANAGEMENT_CLIENT_ID.equals(client.getClientId()) || client.getClientId().endsWith("-realm");
        }
        return ADMIN_REALM_ROLES.contains(role.getName());
    }
}
