import { randomUUID } from 'node:crypto';

const UUID = /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g;

/** The realm file under ids of its own: those that it gives are unique in all realms of a Keycloak. */
export function withIdsOfItsOwn(text: string): string {
  const ids = new Map<string, string>();
  return text.replaceAll(UUID, (id) => {
    const own = ids.get(id) ?? randomUUID();
    ids.set(id, own);
    return own;
  });
}
