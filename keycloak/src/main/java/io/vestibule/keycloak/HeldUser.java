package io.vestibule.keycloak;

import java.util.Optional;

import jakarta.persistence.LockModeType;
import org.keycloak.connections.jpa.JpaConnectionProvider;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.RealmModel;
import org.keycloak.models.UserModel;
import org.keycloak.models.cache.CachedUserModel;

/** A person as the database has them now, and nobody else changes them until the transaction ends: on whichever node. */
final class HeldUser {

    private HeldUser() {
    }

    /** Has to be the first look at that person in its transaction: what was read before the lock would stay. */
    static Optional<UserModel> of(KeycloakSession session, RealmModel realm, String userId) {
        // Postgres takes no NUL: that would be an error of the server's.
        if (userId.chars().anyMatch(Character::isISOControl)) {
            return Optional.empty();
        }
        session.getProvider(JpaConnectionProvider.class).getEntityManager()
                .createQuery("select u from UserEntity u where u.id = :id")
                .setParameter("id", userId)
                .setLockMode(LockModeType.PESSIMISTIC_WRITE)
                .getResultList();
        UserModel user = session.users().getUserById(realm, userId);
        // Past the cache, which learns of another node's commit a little later.
        return Optional.ofNullable(user instanceof CachedUserModel cached ? cached.getDelegateForUpdate() : user);
    }
}
