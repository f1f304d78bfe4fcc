package io.vestibule.keycloak;

import java.util.List;
import java.util.Optional;

import org.keycloak.models.KeycloakSession;
import org.keycloak.models.RealmModel;
import org.keycloak.models.RoleModel;
import org.keycloak.models.UserModel;
import org.keycloak.storage.StorageId;

/**
 * Begins a trial on an account that was there before: the one write for somebody without a stamp of the product. The
 * account is never the trial's own, and whoever could lose more than a trial by its end is refused.
 */
final class TrialJoining {

    /** At the step whose settings say what may be granted: realm roles whose holders begin no trial with their account. */
    static final String EXCLUDED_ROLES = "excludedRoles";
    private static final List<String> USUALLY_EXCLUDED = List.of("staff");

    private TrialJoining() {
    }

    /**
     * May be repeated: the same trial again is kept as {@link TrialKeeping} does.
     *
     * @param username the address that the trial was offered to, which the account has to hold, byte for byte
     */
    static TrialKeeping.Kept begin(KeycloakSession session, String userId, String username, KeepRequest request) {
        RealmModel realm = session.getContext().getRealm();
        UserModel user = HeldUser.of(session, realm, userId).orElseThrow(KeeperRefusal::unknownUser);
        Stamps stamps = Stamps.of(user);
        Optional<StampEntry> held = stamps.find(request.product());
        if (held.isEmpty()) {
            demandEligible(realm, user, username);
        } else if (request.entry().trialApp().isEmpty() || !request.entry().trialApp().equals(held.get().trialApp())) {
            throw KeeperRefusal.otherTrial(request.product());
        }
        return TrialKeeping.write(session, user, stamps, request);
    }

    private static void demandEligible(RealmModel realm, UserModel user, String username) {
        if (!user.isEnabled()) {
            throw KeeperRefusal.notEligible("is disabled");
        }
        if (!user.isEmailVerified() || !username.equals(user.getUsername()) && !username.equals(user.getEmail())) {
            throw KeeperRefusal.notEligible("does not hold the address, verified, that the trial was offered to");
        }
        if (!StorageId.isLocalStorage(user.getId()) || user.getServiceAccountClientLink() != null) {
            throw KeeperRefusal.notEligible("is kept outside Keycloak, or is a client's own");
        }
        if (AddressHolders.isAdministrator(user)) {
            throw KeeperRefusal.notEligible("administers this realm, and the end of a trial must lock no administrator out");
        }
        // The pages of staff stand behind a client of a product, so the end of a trial of it would shut them, too.
        List<String> excluded = WithoutInvitation.values(Grantable.stepConfig(realm).get(EXCLUDED_ROLES));
        for (String name : excluded.isEmpty() ? USUALLY_EXCLUDED : excluded) {
            RoleModel role = realm.getRole(name);
            if (role != null && user.hasRole(role)) {
                throw KeeperRefusal.notEligible("has the realm role " + name + ", which " + EXCLUDED_ROLES + " of the step " + TrialTokenFormActionFactory.PROVIDER_ID + " keeps from trials");
            }
        }
    }
}
