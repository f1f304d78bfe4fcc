package io.vestibule.keycloak;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

import com.fasterxml.jackson.databind.JsonNode;
import org.keycloak.util.JsonSerialization;

/**
 * One golden message of {@code test/contract}, or of a release's copy below it: what this jar sends has to be what the
 * previous release's bridge takes (it refuses unknown fields), and this jar has to understand what that one answers.
 */
record Contract(String name, JsonNode file) {

    private static final Path FOLDER = Path.of("..", "test", "contract");
    private static final String KEEPER = "keeper";

    static List<Contract> all() {
        return files().filter(file -> !isOfTheKeeper(file)).map(Contract::read).toList();
    }

    /** The messages in the other direction: the bridge asks, the jar answers. */
    static List<Contract> ofTheKeeper() {
        return files().filter(Contract::isOfTheKeeper).map(Contract::read).toList();
    }

    /** One of these, as it is now and as each release has it. */
    static List<Contract> ofTheKeeper(String message) {
        List<Contract> all = ofTheKeeper().stream().filter(one -> one.message().equals(message)).toList();
        if (all.stream().noneMatch(Contract::isOfToday)) {
            throw new AssertionError("test/contract/keeper has no " + message);
        }
        return all;
    }

    private static boolean isOfTheKeeper(Path file) {
        return file.getParent().endsWith(KEEPER);
    }

    private static Stream<Path> files() {
        try (Stream<Path> files = Files.walk(FOLDER)) {
            return files.filter(file -> file.toString().endsWith(".json")).sorted().toList().stream();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static Contract of(String name) {
        return read(FOLDER.resolve(name + ".json"));
    }

    private static Contract read(Path file) {
        try {
            return new Contract(FOLDER.relativize(file).toString().replace(".json", ""), JsonSerialization.mapper.readTree(Files.readString(file)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Whichever release it is of. */
    String message() {
        return name.replaceAll(".*/", "");
    }

    boolean isOfToday() {
        return !Character.isDigit(name.charAt(0));
    }

    JsonNode request() {
        return file.path("request");
    }

    JsonNode answer() {
        return file.path("response").path("body");
    }

    int status() {
        return file.path("response").path("status").intValue();
    }

    String text(String field) {
        return request().path("body").path(field).textValue();
    }

    /** {@code verify}, {@code creation}, {@code outcome} or {@code infos}: the path decides, not the file's name. */
    String kind() {
        String path = request().path("path").textValue();
        return path.replaceAll("\\?.*", "").replaceAll(".*/", "");
    }

    String query(String parameter) {
        return request().path("path").textValue().replaceAll(".*[?&]" + parameter + "=([^&]*).*", "$1");
    }

    @Override
    public String toString() {
        return name;
    }
}
