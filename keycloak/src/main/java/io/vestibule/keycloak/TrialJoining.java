package io.vestibule.keycloak;

import java.util.Optional;

import org.keycloak.models.KeycloakSession;
import org.keycloak.models.UserModel;
import org.keycloak.storage.StorageId;

/**
 * Begins a trial on an account that was there before: the one write for somebody without a stamp of the product. The
 * account is never the trial's own, and whoever could lose more than a trial by its end is refused.
 */
final class TrialJoining {

    private TrialJoining() {
    }

    /**
     * May be repeated: the same trial again is kept as {@link TrialKeeping} does.
     *
     * @param username the address that the trial was offered to, which the account has to hold, byte for byte
     */
    static TrialKeeping.Kept begin(KeycloakSession session, String userId, String username, KeepRequest request) {
        UserModel user = HeldUser.of(session, session.getContext().getRealm(), userId).orElseThrow(KeeperRefusal::unknownUser);
        Stamps stamps = Stamps.of(user);
        Optional<StampEntry> held = stamps.find(request.product());
        if (held.isEmpty()) {
            demandEligible(user, username);
        } else if (request.entry().trialApp().isEmpty() || !request.entry().trialApp().equals(held.get().trialApp())) {
            throw KeeperRefusal.otherTrial(request.product());
        }
        return TrialKeeping.write(session, user, stamps, request);
    }

    private static void demandEligible(UserModel user, String username) {
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
    }
}
