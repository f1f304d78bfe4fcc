package io.vestibule.keycloak;

/** What the bridge says about a person's trial ({@code GET /api/trial/infos}). */
sealed interface Infos {

    /**
     * @param trial            false: the bridge knows no trial of this person for this client
     * @param expired          true from {@code trialAccessUntil} on
     * @param trialEndsAt      what people are told, epoch seconds; null without a trial
     * @param trialAccessUntil what is enforced, epoch seconds; null without a trial
     */
    record Known(boolean trial, boolean expired, Long trialEndsAt, Long trialAccessUntil) implements Infos {
    }

    /** @param cause for the log, never for the person */
    record NoAnswer(String cause) implements Infos {
    }
}
