package io.vestibule.keycloak;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;

/** Which jar this is: {@code version}, and {@code contract}, the release whose messages it speaks with the bridge. From the pom. */
final class Release {

    private static final Map<String, String> INFORMATION = read();

    private Release() {
    }

    static Map<String, String> information() {
        return INFORMATION;
    }

    /** Not from the manifest: Keycloak's build packs the classes anew. */
    private static Map<String, String> read() {
        Properties properties = new Properties();
        try (InputStream file = Release.class.getResourceAsStream("release.properties")) {
            properties.load(file);
        } catch (IOException e) {
            throw new UncheckedIOException("The provider jar lacks release.properties: build it with Maven.", e);
        }
        return properties.stringPropertyNames().stream().collect(Collectors.toUnmodifiableMap(name -> name, properties::getProperty));
    }
}
