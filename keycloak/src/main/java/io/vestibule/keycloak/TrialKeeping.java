package io.vestibule.keycloak;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;

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
        UserModel user = HeldUser.of(session, session.getContext().getRealm(), userId).orElseThrow(KeeperRefusal::unknownUser);
        Stamps stamps = Stamps.of(user);
        stamps.managed(request.product());
        return write(session, user, stamps, request);
    }

    /** For somebody who is held; whoever has no stamp of the product gets one, of a trial that did not make the account. */
    static Kept write(KeycloakSession session, UserModel user, Stamps stamps, KeepRequest request) {
        Optional<StampEntry> held = stamps.find(request.product());
        if (held.isPresent() && request.version() <= held.get().version()) {
            return new Kept("newer", held.get().version());
        }
        RealmModel realm = session.getContext().getRealm();
        Grantable grantable = Grantable.of(session, realm);
        List<RoleModel> granted = grantable.roles(realm, request.grant());
        List<RoleModel> revoked = grantable.roles(realm, request.revoke());

        List<StampEntry> others = stamps.others(request.product());
        Predicate<RoleModel> givenByOthers = role -> others.stream().anyMatch(other -> other.mayHaveGiven(role.getName()));
        Set<String> given = new LinkedHashSet<>(held.map(one -> one.roles().orElseGet(() -> grantable.heldBy(user))).orElse(List.of()));
        // What somebody else gave before is not the trial's, and not taken with it.
        granted.stream().filter(role -> !user.hasDirectRole(role) || givenByOthers.test(role)).map(RoleModel::getName).forEach(given::add);
        granted.forEach(user::grantRole);
        revoked.stream()
                .filter(role -> held.isPresent() && (held.get().made() || held.get().mayHaveGiven(role.getName())))
                .filter(givenByOthers.negate())
                .forEach(role -> grantable.revoke(user, role));
        given.removeAll(request.revoke());
        if (held.isEmpty() && grantable.groupsOf(user).isEmpty()) {
            user.joinGroup(grantable.group());
        }
        stamps.put(request.entry().with(request.version(), held.map(StampEntry::made).orElse(false), List.copyOf(given)));
        return new Kept("held", request.version());
    }
}
