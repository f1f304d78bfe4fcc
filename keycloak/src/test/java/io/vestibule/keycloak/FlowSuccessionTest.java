package io.vestibule.keycloak;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Map;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.keycloak.sessions.CommonClientSessionModel.ExecutionStatus;

class FlowSuccessionTest {

    @ParameterizedTest
    @CsvSource(nullValues = "-", value = {
            // setting,            status of a,    carried
            "a=b,                  SUCCESS,        {b=SUCCESS}",
            "a=b##a=c,             SUCCESS,        '{b=SUCCESS, c=SUCCESS}'",
            "a=b,                  SETUP_REQUIRED, {b=SETUP_REQUIRED}",
            "a=b,                  SKIPPED,        {b=SKIPPED}",
            "a=b,                  CHALLENGED,     {}",
            "a=b,                  FAILED,         {}",
            "a=b,                  ATTEMPTED,      {}",
            "a=b,                  EVALUATED_TRUE, {}",
            "x=b,                  SUCCESS,        {}",
            "a=known,              SUCCESS,        {}",
            "a,                    SUCCESS,        {}",
            "-,                    SUCCESS,        {}",
    })
    void carriesOverWhatWasTaken(String setting, ExecutionStatus former, String carried) {
        assertEquals(carried, FlowSuccession.carriedOver(setting, Map.of("a", former, "known", ExecutionStatus.CHALLENGED)).toString());
    }
}
