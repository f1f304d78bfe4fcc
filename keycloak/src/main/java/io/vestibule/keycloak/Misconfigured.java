package io.vestibule.keycloak;

/** An execution is configured in a way that can't work; the message names the key and says what to do. */
final class Misconfigured extends Exception {

    Misconfigured(String message) {
        super(message);
    }
}
