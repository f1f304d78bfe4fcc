/** Whose request it is, as the audit keeps it. */
export interface From {
  clientAddress: string;
  requestId: string;
  /** Why, where it was asked for. */
  reason?: string;
}
