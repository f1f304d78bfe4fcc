package io.vestibule.keycloak;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;

import jakarta.ws.rs.core.MultivaluedHashMap;
import jakarta.ws.rs.core.MultivaluedMap;
import org.keycloak.forms.login.freemarker.model.RegisterBean;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.UserModel;
import org.keycloak.userprofile.AttributeMetadata;

/** What register.ftl reads: the theme's bean, but username and e-mail are the invited address and read-only. */
public final class LockedRegisterBean extends RegisterBean {

    private static final Set<String> LOCKED = Set.of(UserModel.USERNAME, UserModel.EMAIL);

    private LockedRegisterBean(MultivaluedMap<String, String> formData, KeycloakSession session) {
        super(formData, session);
        attributes = attributes.stream()
                .<Attribute>map(attribute -> LOCKED.contains(attribute.getName())
                        ? new LockedAttribute(profile.getAttributes().getMetadata(attribute.getName()))
                        : attribute)
                .toList();
        attributesByName = attributes.stream().collect(Collectors.toMap(Attribute::getName, Function.identity()));
    }

    /** @param themes the bean that Keycloak made for the same page: it has what the person typed so far */
    static LockedRegisterBean from(Object themes, KeycloakSession session, Invitation invitation) {
        MultivaluedMap<String, String> formData = new MultivaluedHashMap<>();
        if (themes instanceof RegisterBean bean) {
            bean.getFormData().forEach(formData::putSingle);
            // The legacy bean holds first values only.
            bean.getAttributes().stream().filter(attribute -> attribute.getValues().size() > 1)
                    .forEach(attribute -> formData.put(attribute.getName(), new ArrayList<>(attribute.getValues())));
        }
        fillIn(formData, UserModel.FIRST_NAME, invitation.firstName());
        fillIn(formData, UserModel.LAST_NAME, invitation.lastName());
        LOCKED.forEach(name -> formData.putSingle(name, invitation.username()));
        return new LockedRegisterBean(formData, session);
    }

    private static void fillIn(MultivaluedMap<String, String> formData, String name, String value) {
        // Absent: not asked yet. Empty: the person emptied it.
        if (value != null && formData.getFirst(name) == null) {
            formData.putSingle(name, value);
        }
    }

    /** Read-only for the template, whatever the user profile says. */
    public final class LockedAttribute extends Attribute {

        LockedAttribute(AttributeMetadata metadata) {
            super(metadata);
        }

        @Override
        public boolean isReadOnly() {
            return true;
        }

        @Override
        public Map<String, Object> getAnnotations() {
            Map<String, Object> annotations = new HashMap<>(super.getAnnotations());
            annotations.put("inputHelperTextAfter", "${trialAddressLockedHint}");
            return annotations;
        }
    }
}
