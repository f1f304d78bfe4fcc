package io.vestibule.keycloak;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

import org.keycloak.models.AuthenticationExecutionModel;
import org.keycloak.models.GroupModel;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.RealmModel;
import org.keycloak.models.RoleModel;
import org.keycloak.models.UserModel;
import org.keycloak.models.utils.KeycloakModelUtils;

/**
 * What the bridge may have given and taken, as an administrator configured it at the step TrialTokenFormAction of the
 * realm's registration flow: one place for the creation of accounts and for all that comes later.
 *
 * @param allowed what may be granted
 * @param group   that stamped users are in, or in one below it
 */
record Grantable(AllowList allowed, GroupModel group) {

    /** @throws KeeperRefusal 503 where the realm lacks the step or its group */
    static Grantable of(KeycloakSession session, RealmModel realm) {
        Map<String, String> config = stepConfig(realm);
        String path = TrialTokenFormAction.groupPath(config);
        GroupModel group = KeycloakModelUtils.findGroupByPath(session, realm, path);
        if (group == null) {
            throw KeeperRefusal.misconfigured("The realm has no group " + path + ", by which trial users are found: make it.");
        }
        return new Grantable(AllowList.from(config), group);
    }

    /** @throws KeeperRefusal 503 where the realm's registration flow lacks the step */
    static Map<String, String> stepConfig(RealmModel realm) {
        return executions(realm, realm.getRegistrationFlow().getId())
                .filter(one -> TrialTokenFormActionFactory.PROVIDER_ID.equals(one.getAuthenticator()))
                .findFirst()
                .map(one -> StepConfig.of(one.getAuthenticatorConfig() == null ? null : realm.getAuthenticatorConfigById(one.getAuthenticatorConfig())))
                .orElseThrow(() -> KeeperRefusal.misconfigured(
                        "The realm's registration flow has no step " + TrialTokenFormActionFactory.PROVIDER_ID + ", whose settings say what may be granted: npm run realm -- plan says how to mend it."));
    }

    private static Stream<AuthenticationExecutionModel> executions(RealmModel realm, String flowId) {
        return realm.getAuthenticationExecutionsStream(flowId)
                .flatMap(one -> one.isAuthenticatorFlow() ? Stream.concat(Stream.of(one), executions(realm, one.getFlowId())) : Stream.of(one));
    }

    /** @throws KeeperRefusal 422 for names that are not in the list, or not in the realm */
    List<RoleModel> roles(RealmModel realm, List<String> names) {
        List<String> refused = names.stream().filter(name -> !allowed.roles().contains(name) || realm.getRole(name) == null).toList();
        if (!refused.isEmpty()) {
            throw KeeperRefusal.roleNotAllowed(String.join(", ", refused));
        }
        return names.stream().map(realm::getRole).toList();
    }

    /** What the person has of the list by a mapping of their own. */
    List<String> heldBy(UserModel user) {
        return user.getRealmRoleMappingsStream().map(RoleModel::getName).filter(allowed.roles()::contains).sorted().toList();
    }

    /** Those of the groups of trials that the person is in. */
    List<GroupModel> groupsOf(UserModel user) {
        return user.getGroupsStream().filter(this::isOfTrials).toList();
    }

    boolean isOfTrials(GroupModel one) {
        return one.getId().equals(group.getId()) || group.getId().equals(one.getParentId());
    }

    /** Takes a role away, also where a group below the one of trials gives it; the person stays in that one. */
    void revoke(UserModel user, RoleModel role) {
        user.deleteRoleMapping(role);
        for (GroupModel one : groupsOf(user)) {
            if (!one.getId().equals(group.getId()) && one.hasDirectRole(role)) {
                moveUp(user, one, role);
            }
        }
    }

    private void moveUp(UserModel user, GroupModel from, RoleModel without) {
        List<RoleModel> others = new ArrayList<>(from.getRealmRoleMappingsStream().filter(role -> !role.equals(without)).toList());
        user.joinGroup(group);
        user.leaveGroup(from);
        others.stream().filter(role -> allowed.roles().contains(role.getName())).forEach(user::grantRole);
    }

    /** The group of that product's accounts, if the person is in it. */
    Optional<GroupModel> productGroup(UserModel user, String product) {
        return groupsOf(user).stream().filter(one -> !one.getId().equals(group.getId()) && one.getName().equals(product)).findFirst();
    }
}
