/** A path through the admin console, a variable, or a command: what somebody can go and do. */
export const SAYS_WHERE = / → |\b[A-Z]+(?:_[A-Z]+)+\b|npm run |kc\.sh |alter system |--spi-/;
