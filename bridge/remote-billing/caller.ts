/** Whose request it is, as the audit keeps it. */
export interface From {
  clientAddress: string;
  requestId: string;
}
