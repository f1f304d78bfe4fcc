package io.vestibule.keycloak;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;

import org.junit.jupiter.api.Test;
import org.keycloak.WebAuthnConstants;
import org.keycloak.authentication.FormContext;
import org.keycloak.forms.login.LoginFormsProvider;
import org.keycloak.models.UserModel;
import org.keycloak.models.credential.WebAuthnCredentialModel;
import org.keycloak.sessions.AuthenticationSessionModel;

class StandInActionTest {

    private final List<String> called = new ArrayList<>();

    @Test
    void theChallengeIsTheOneThatWasGivenOutWhateverTheSessionHasSince() {
        AuthenticationSessionModel real = recorded(AuthenticationSessionModel.class, null);
        FormContext form = recorded(FormContext.class, real);
        AuthenticationSessionModel seen = new StandInAction(form, "ours", null, null, null).context().getAuthenticationSession();
        called.clear();
        seen.setAuthNote(WebAuthnConstants.AUTH_CHALLENGE_NOTE, "theirs");
        seen.removeAuthNote(WebAuthnConstants.AUTH_CHALLENGE_NOTE);
        assertEquals("ours", seen.getAuthNote(WebAuthnConstants.AUTH_CHALLENGE_NOTE));
        assertEquals(List.of(), called);
        seen.setAuthNote("another", "note");
        assertEquals(List.of("setAuthNote"), called);
    }

    @Test
    void anActionGetsOurPageAndNoErrorPage() {
        LoginFormsProvider form = StandInAction.formWith(recorded(LoginFormsProvider.class, null), "ours.ftl", page -> called.add("last"));
        assertSame(form, form.setAttribute("a", "b"));
        assertNull(form.createForm("theirs.ftl"));
        assertNull(form.createWebAuthnErrorPage());
        assertEquals(List.of("setAttribute", "last", "createForm ours.ftl"), called);
    }

    @Test
    void whoIsToBeHasAnIdAndNothingElse() {
        UserModel user = StandInAction.futureUser("id", "ada@example.com");
        assertEquals("id ada@example.com", user.getId() + " " + user.getUsername());
        assertEquals(0, user.credentialManager().getStoredCredentialsByTypeStream(WebAuthnCredentialModel.TYPE_PASSWORDLESS).count());
        assertThrows(IllegalStateException.class, user::getGroupsStream);
    }

    /** Notes what is called; a method that returns its own type returns itself, others that one answer if it fits. */
    private <T> T recorded(Class<T> type, Object answer) {
        return type.cast(Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {type}, (proxy, method, arguments) -> {
            called.add("createForm".equals(method.getName()) ? "createForm " + arguments[0] : method.getName());
            if (method.getReturnType().isAssignableFrom(type) && method.getReturnType() != Object.class) {
                return proxy;
            }
            return method.getReturnType().isInstance(answer) ? answer : null;
        }));
    }
}
