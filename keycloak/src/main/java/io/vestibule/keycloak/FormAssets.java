package io.vestibule.keycloak;

import java.util.Map;
import java.util.Properties;

import org.keycloak.theme.ThemeResourcesParser;

/**
 * Adds our style sheet and script (theme-resources are served under every theme) to those of the active theme, for the
 * locked form: keycloak.v2 shows a disabled input as if it could be changed, and its language menu loses what was typed.
 */
final class FormAssets {

    private static final String STYLE_SHEET = "css/vestibule.css";
    private static final String SCRIPT = "js/vestibule-keep-input.js";

    private FormAssets() {
    }

    /** @param more scripts of the page, besides the one of every form */
    static void addTo(Map<String, Object> attributes, String... more) {
        if (!(attributes.get("properties") instanceof Properties themes)) {
            return;
        }
        Properties ours = new Properties();
        ours.putAll(themes);
        append(ours, "styles", STYLE_SHEET);
        append(ours, "scripts", SCRIPT);
        for (String script : more) {
            append(ours, "scripts", script);
        }
        attributes.put("properties", ours);
        // Newer templates read this in place of the properties; older Keycloaks have neither it nor the class.
        if (attributes.containsKey("themeResources")) {
            Newer.addTo(attributes, ours);
        }
    }

    private static void append(Properties properties, String key, String path) {
        properties.setProperty(key, (properties.getProperty(key, "") + " " + path).strip());
    }

    private static final class Newer {

        static void addTo(Map<String, Object> attributes, Properties properties) {
            attributes.put("themeResources", ThemeResourcesParser.parse(properties));
        }
    }
}
