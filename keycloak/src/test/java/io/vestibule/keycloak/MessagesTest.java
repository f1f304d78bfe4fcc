package io.vestibule.keycloak;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.MessageFormat;
import java.util.List;
import java.util.PropertyResourceBundle;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class MessagesTest {

    private static final Path RESOURCES = Path.of("src/main/resources/theme-resources");
    private static final Path THEME = Path.of("src/main/resources/theme/vestibule/login");
    private static final Path ENGLISH = RESOURCES.resolve("messages/messages_en.properties");

    static List<Path> languages() {
        return Stream.of(RESOURCES, THEME).flatMap(folder -> list(folder.resolve("messages")).stream()).toList();
    }

    static List<Path> templates() {
        return list(RESOURCES.resolve("templates"));
    }

    @Test
    void englishAndFrenchAreThere() {
        assertTrue(names(RESOURCES).containsAll(List.of("messages_en.properties", "messages_fr.properties")));
    }

    @Test
    void aLanguageIsInBothFolders() {
        assertEquals(names(RESOURCES), names(THEME));
    }

    @ParameterizedTest
    @MethodSource("languages")
    void everyLanguageHasTheSameKeys(Path language) {
        assertEquals(keys(english(language)), keys(language));
    }

    @ParameterizedTest
    @MethodSource("languages")
    void everyTextIsAPatternAndShowsItsApostrophes(Path language) {
        PropertyResourceBundle texts = read(language);
        for (String key : texts.keySet()) {
            String pattern = texts.getString(key);
            String shown = new MessageFormat(pattern).format(new Object[] {"ada@example.com"});
            assertEquals(pattern.replace("''", "'").replace("{0}", "ada@example.com"), shown, key);
            assertEquals(read(english(language)).getString(key).contains("{0}"), pattern.contains("{0}"), key);
        }
    }

    @ParameterizedTest
    @MethodSource("templates")
    void everyKeyOfATemplateHasAText(Path template) throws IOException {
        Matcher keys = Pattern.compile("msg\\(\"([^\"]+)\"[,)]").matcher(Files.readString(template));
        while (keys.find()) {
            assertTrue(keys(ENGLISH).contains(keys.group(1)), keys.group(1));
        }
    }

    @Test
    void everyReasonHasATitleAndAText() {
        for (String reason : List.of("unknown", "expired", "revoked", "missing", "unavailable", "misconfigured")) {
            assertTrue(keys(ENGLISH).containsAll(List.of("trialRefused." + reason + ".title", "trialRefused." + reason + ".text")), reason);
        }
    }

    @Test
    void everyWayThatAnAddressDiffersHasAText() {
        for (String reason : List.of("other", "unverified", "none")) {
            assertTrue(keys(ENGLISH).contains("trialOtherAddress." + reason), reason);
        }
    }

    @Test
    void everyCodeOfARefusedCreationHasAText() {
        List<Contract> refusals = Contract.all().stream().filter(contract -> contract.status() >= 400 && !contract.answer().has("field")).toList();
        assertFalse(refusals.isEmpty());
        for (Contract refusal : refusals) {
            assertTrue(keys(ENGLISH).contains("trialFailed." + refusal.answer().path("code").textValue()), refusal.name());
        }
    }

    private static Path english(Path language) {
        return language.resolveSibling("messages_en.properties");
    }

    private static List<String> names(Path folder) {
        return list(folder.resolve("messages")).stream().map(file -> file.getFileName().toString()).toList();
    }

    private static Set<String> keys(Path language) {
        return new TreeSet<>(read(language).keySet());
    }

    // As Keycloak reads them (PropertiesUtil.readCharsetAware).
    private static PropertyResourceBundle read(Path language) {
        try (InputStream in = Files.newInputStream(language)) {
            return new PropertyResourceBundle(in);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<Path> list(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            return files.sorted().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
