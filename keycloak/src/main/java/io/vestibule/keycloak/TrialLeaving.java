package io.vestibule.keycloak;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

import org.keycloak.models.KeycloakSession;
import org.keycloak.models.RealmModel;
import org.keycloak.models.RoleModel;
import org.keycloak.models.UserManager;
import org.keycloak.models.UserModel;
import org.keycloak.organization.OrganizationProvider;

/** The end of one trial for one person: of what is open at its clients, or of all its traces. */
final class TrialLeaving {

    static final String REMOVED = "removed";
    static final String KEPT = "kept_account";

    private TrialLeaving() {
    }

    static Map<String, ?> ended(int clientSessions) {
        return Map.of("ended", clientSessions);
    }

    /** @param removal {@link #REMOVED} or {@link #KEPT} */
    static Map<String, ?> result(String removal) {
        return Map.of("result", removal);
    }

    /**
     * Ends what is open at the product's clients, if the trial is over by now; clients that a running trial of another
     * product names too are left alone.
     *
     * @param nowSeconds Keycloak's clock, epoch seconds
     * @return how many client sessions ended
     */
    static int endSessions(KeycloakSession session, String userId, String product, long nowSeconds) {
        RealmModel realm = session.getContext().getRealm();
        UserModel user = HeldUser.of(session, realm, userId).orElseThrow(KeeperRefusal::unknownUser);
        Stamps stamps = Stamps.of(user);
        StampEntry entry = stamps.managed(product);
        // It was extended meanwhile: sessions that have not ended go on.
        return entry.stamp().isOver(nowSeconds) ? new OpenSessions(session, realm, user).endAt(clientsOf(entry, stamps, nowSeconds)) : 0;
    }

    private static Set<String> clientsOf(StampEntry entry, Stamps stamps, long nowSeconds) {
        Set<String> clients = new HashSet<>(entry.clients());
        stamps.others(entry.product()).stream().filter(other -> !other.stamp().isOver(nowSeconds)).forEach(other -> other.clients().forEach(clients::remove));
        return clients;
    }

    /** @return {@link #REMOVED} or {@link #KEPT} */
    static String remove(KeycloakSession session, String userId, String product, long nowSeconds) {
        RealmModel realm = session.getContext().getRealm();
        UserModel user = HeldUser.of(session, realm, userId).orElseThrow(KeeperRefusal::unknownUser);
        Stamps stamps = Stamps.of(user);
        StampEntry entry = stamps.managed(product);
        Grantable grantable = Grantable.of(session, realm);
        OpenSessions open = new OpenSessions(session, realm, user);
        if (entry.made() && stamps.others(product).isEmpty() && !stamps.hasUnreadable() && !hasMore(session, realm, user, grantable)) {
            open.endAll();
            new UserManager(session).removeUser(realm, session.users().getUserById(realm, userId));
            return REMOVED;
        }
        open.endAt(clientsOf(entry, stamps, nowSeconds));
        takeOff(realm, user, stamps, entry, grantable);
        return KEPT;
    }

    /** Anything that somebody gave to this person beside the trial. */
    private static boolean hasMore(KeycloakSession session, RealmModel realm, UserModel user, Grantable grantable) {
        return user.getFederationLink() != null
                || user.getServiceAccountClientLink() != null
                || user.getRoleMappingsStream().anyMatch(role -> !isOrdinary(realm, role, grantable))
                || user.getGroupsStream().anyMatch(group -> !grantable.isOfTrials(group))
                || isInAnOrganization(session, user);
    }

    private static boolean isOrdinary(RealmModel realm, RoleModel role, Grantable grantable) {
        return role.equals(realm.getDefaultRole()) || !role.isClientRole() && grantable.allowed().roles().contains(role.getName());
    }

    private static boolean isInAnOrganization(KeycloakSession session, UserModel user) {
        OrganizationProvider organizations = session.getProvider(OrganizationProvider.class);
        return organizations != null && organizations.isEnabled() && organizations.getByMember(user).findAny().isPresent();
    }

    private static void takeOff(RealmModel realm, UserModel user, Stamps stamps, StampEntry entry, Grantable grantable) {
        List<StampEntry> others = stamps.others(entry.product());
        grantable.productGroup(user, entry.product()).ifPresent(group -> {
            user.joinGroup(grantable.group());
            user.leaveGroup(group);
        });
        entry.roles().orElseGet(() -> grantable.heldBy(user)).stream()
                .filter(name -> others.stream().noneMatch(other -> other.mayHaveGiven(name)))
                .filter(name -> grantable.allowed().roles().contains(name) && realm.getRole(name) != null)
                .forEach(name -> user.deleteRoleMapping(realm.getRole(name)));
        stamps.remove(entry.product());
        if (entry.made()) {
            // The account goes with the last of the trials that are on it.
            others.stream().findFirst().ifPresent(other -> Stamps.of(user).put(other.with(other.version(), true, other.roles().orElseGet(() -> grantable.heldBy(user)))));
        }
        if (others.isEmpty()) {
            grantable.groupsOf(user).forEach(user::leaveGroup);
        }
    }
}
