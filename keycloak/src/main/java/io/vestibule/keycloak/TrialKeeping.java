package io.vestibule.keycloak;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

import org.keycloak.models.KeycloakSession;
import org.keycloak.models.RealmModel;
import org.keycloak.models.RoleModel;
import org.keycloak.models.UserModel;

/**
 * Writes what the bridge decided of one trial to the person it is about: that product's value of the stamp, and roles of
 * the allow-list. The highest version wins, in whichever order they come.
 */
final class TrialKeeping {

    private TrialKeeping() {
    }

    /**
     * @param result {@code held}, or {@code newer} where nothing changed
     * @param held   the version that Keycloak holds now
     */
    record Kept(String result, long held) {

        Map<String, ?> words() {
            return Map.of("result", result, "held", held);
        }
    }

    static Kept keep(KeycloakSession session, String userId, KeepRequest request) {
        RealmModel realm = session.getContext().getRealm();
        UserModel user = HeldUser.of(session, realm, userId).orElseThrow(KeeperRefusal::unknownUser);
        Stamps stamps = Stamps.of(user);
        StampEntry held = stamps.managed(request.product());
        if (request.version() <= held.version()) {
            return new Kept("newer", held.version());
        }
        Grantable grantable = Grantable.of(session, realm);
        List<RoleModel> granted = grantable.roles(realm, request.grant());
        List<RoleModel> revoked = grantable.roles(realm, request.revoke());

        Set<String> given = new LinkedHashSet<>(held.roles().orElseGet(() -> grantable.heldBy(user)));
        granted.forEach(user::grantRole);
        given.addAll(request.grant());
        given.removeAll(request.revoke());
        List<StampEntry> others = stamps.others(request.product());
        revoked.stream()
                .filter(role -> others.stream().noneMatch(other -> other.mayHaveGiven(role.getName())))
                .forEach(role -> grantable.revoke(user, role));
        stamps.replace(request.entry().with(request.version(), held.made(), List.copyOf(given)));
        return new Kept("held", request.version());
    }
}
