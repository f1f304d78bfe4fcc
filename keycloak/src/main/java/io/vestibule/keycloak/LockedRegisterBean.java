package io.vestibule.keycloak;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;

import jakarta.ws.rs.core.MultivaluedHashMap;
import jakarta.ws.rs.core.MultivaluedMap;
import org.keycloak.common.util.HtmlUtils;
import org.keycloak.forms.login.freemarker.model.RegisterBean;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.UserModel;
import org.keycloak.userprofile.AttributeMetadata;

/** What register.ftl reads: the theme's bean, but username and e-mail are the invited address and read-only. */
public final class LockedRegisterBean extends RegisterBean {

    static final String HINT = "${trialAddressLockedHint}";

    private static final Set<String> LOCKED = Set.of(UserModel.USERNAME, UserModel.EMAIL);

    private final String hint;

    /**
     * @param hint  below the locked address
     * @param shown which attributes of the user profile are asked, besides the questions
     * @param passkey whether one may be had instead of a password
     */
    private LockedRegisterBean(MultivaluedMap<String, String> formData, KeycloakSession session, List<Question> questions, String hint, Predicate<Attribute> shown, boolean passkey) {
        super(formData, session);
        this.hint = hint;
        AttributeMetadata any = profile.getAttributes().getMetadata(UserModel.EMAIL);
        Locale locale = session.getContext().resolveLocale(null);
        Stream<Attribute> asked = questions.stream().map(question -> new AskedAttribute(any, question, locale));
        attributes = Stream.concat(attributes.stream()
                .filter(shown)
                .flatMap(attribute -> {
                    Attribute one = LOCKED.contains(attribute.getName()) ? new LockedAttribute(profile.getAttributes().getMetadata(attribute.getName())) : attribute;
                    // The theme puts the passwords below the address: the choice comes next.
                    return passkey && UserModel.EMAIL.equals(attribute.getName()) ? Stream.of(one, new PasskeyAttribute(any, locale)) : Stream.of(one);
                }), asked)
                .toList();
        attributesByName = attributes.stream().collect(Collectors.toMap(Attribute::getName, Function.identity()));
    }

    /**
     * @param themes the bean that Keycloak made for the same page: it has what the person typed so far
     * @param posted the same, whole: of a field that comes twice the bean has the first value only
     */
    static LockedRegisterBean from(Object themes, MultivaluedMap<String, String> posted, KeycloakSession session, Invitation invitation, String hint, boolean passkey) {
        MultivaluedMap<String, String> formData = new MultivaluedHashMap<>();
        if (themes instanceof RegisterBean bean) {
            bean.getFormData().forEach(formData::putSingle);
            // The legacy bean holds first values only.
            bean.getAttributes().stream().filter(attribute -> attribute.getValues().size() > 1)
                    .forEach(attribute -> formData.put(attribute.getName(), new ArrayList<>(attribute.getValues())));
        }
        fillIn(formData, UserModel.FIRST_NAME, invitation.firstName());
        fillIn(formData, UserModel.LAST_NAME, invitation.lastName());
        fillInWhatIsLocked(formData, posted, invitation);
        formData.put(Passkey.FIELD, Passkey.ticked(posted));
        return new LockedRegisterBean(formData, session, invitation.questions(), hint, attribute -> true, passkey);
    }

    /** For somebody whose names an identity provider told: the address and the questions alone. */
    static LockedRegisterBean ofQuestions(MultivaluedMap<String, String> posted, KeycloakSession session, Invitation invitation) {
        MultivaluedMap<String, String> formData = new MultivaluedHashMap<>();
        fillInWhatIsLocked(formData, posted, invitation);
        return new LockedRegisterBean(formData, session, invitation.questions(), HINT, attribute -> UserModel.EMAIL.equals(attribute.getName()), false);
    }

    private static void fillInWhatIsLocked(MultivaluedMap<String, String> formData, MultivaluedMap<String, String> posted, Invitation invitation) {
        LOCKED.forEach(name -> formData.putSingle(name, invitation.username()));
        invitation.questions().forEach(question -> formData.put(question.field(), posted.getOrDefault(question.field(), List.of())));
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
            annotations.put("inputHelperTextAfter", UserModel.EMAIL.equals(getName()) ? hint : HINT);
            return annotations;
        }
    }

    /** What the product asks, as if the user profile asked it: the theme has a template for that. */
    public class AskedAttribute extends Attribute {

        private final Question question;
        private final Locale locale;

        /** @param any metadata that the class wants to have; nothing is read from it */
        AskedAttribute(AttributeMetadata any, Question question, Locale locale) {
            super(any);
            this.question = question;
            this.locale = locale;
        }

        @Override
        public String getName() {
            return question.field();
        }

        @Override
        public String getDisplayName() {
            return question.asksConsent() ? "${trialConsent}" : question.labelIn(locale);
        }

        @Override
        public boolean isMultivalued() {
            return false;
        }

        @Override
        public String getDefaultValue() {
            return null;
        }

        @Override
        public List<String> getValues() {
            return formData.getOrDefault(question.field(), List.of());
        }

        @Override
        public boolean isRequired() {
            return question.required();
        }

        @Override
        public boolean isReadOnly() {
            return false;
        }

        @Override
        public String getAutocomplete() {
            return null;
        }

        @Override
        public AttributeGroup getGroup() {
            return null;
        }

        @Override
        public Map<String, Map<String, Object>> getValidators() {
            return question.asksConsent() ? Map.of("options", Map.of("options", List.of(question.version()))) : Map.of();
        }

        @Override
        public Map<String, Object> getAnnotations() {
            if (!question.asksConsent()) {
                return Map.of("inputTypeMaxlength", String.valueOf(question.maxLength()));
            }
            Map<String, Object> annotations = new HashMap<>();
            annotations.put("inputType", "multiselect-checkboxes");
            annotations.put("inputOptionLabels", Map.of(question.version(), question.labelIn(locale)));
            if (question.url() != null) {
                annotations.put("inputHelperTextAfter", link(question.url()));
            }
            return annotations;
        }

        // The template writes it as HTML, sanitized.
        private static String link(String url) {
            String escaped = HtmlUtils.escapeAttribute(url);
            return "<a href=\"" + escaped + "\" target=\"_blank\">" + escaped.replaceFirst("^https?://", "") + "</a>";
        }
    }

    /** The passkey as a question: a box to tick. */
    public final class PasskeyAttribute extends AskedAttribute {

        PasskeyAttribute(AttributeMetadata any, Locale locale) {
            super(any, new Question(Passkey.FIELD, Passkey.CREATE, null, "${trialPasskey}", Map.of(), false, 0), locale);
        }

        @Override
        public String getDisplayName() {
            return "${trialPasskeyOr}";
        }
    }
}
