/** As the jar names its providers. */
export const EXPIRATION_STEP = 'trial-expiration-authenticator';
export const TOKEN_STEP = 'trial-token-authenticator';
export const FORM_PAGE = 'trial-registration-page';
export const FORM_ACTION = 'trial-token-form-action';
export const PROVIDER_CREATION = 'trial-provider-creation';
export const EXPIRATION_EXECUTOR = 'trial-expiration-executor';
export const CLAIMS_MAPPER = 'vestibule-trial-claims';
