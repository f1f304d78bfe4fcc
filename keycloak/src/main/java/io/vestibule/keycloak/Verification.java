package io.vestibule.keycloak;

import java.util.List;

/** What the bridge says about an invitation token ({@code POST /api/trial/verify}). */
sealed interface Verification {

    /**
     * The invitation can be used.
     *
     * @param username         the invited address in its canonical form
     * @param firstName        may be null
     * @param lastName         may be null
     * @param questions        what the form is still to ask
     * @param addressIsInvited whether the address that was sent along is the invited one; false where none was
     */
    record Verified(String username, String firstName, String lastName, List<Question> questions, boolean addressIsInvited) implements Verification {
    }

    /**
     * @param reason   {@code unknown}, {@code expired}, {@code revoked} or {@code spent}
     * @param product  what the invitation was for; null when it is unknown
     * @param username whose invitation was spent; null otherwise
     */
    record Refused(String reason, String product, String username) implements Verification {
    }

    /** @param cause for the log, never for the person */
    record NoAnswer(String cause) implements Verification {
    }
}
