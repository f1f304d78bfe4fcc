/** Names the stack.json of the stack to test against; the global setup sets it, or whoever has one running already. */
export const STACK_VARIABLE = 'VESTIBULE_STACK';
