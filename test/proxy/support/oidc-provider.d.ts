/** As much of it as is used here: it comes without types. */
declare module 'oidc-provider' {
  import type { IncomingMessage, ServerResponse } from 'node:http';

  export interface Grant {
    addOIDCScope(scope: string): void;
    save(): Promise<string>;
  }
  export interface Context {
    oidc: { client: { clientId: string }; session: { accountId: string }; provider: Provider };
    body: unknown;
  }
  export class Provider {
    constructor(issuer: string, configuration: object);
    callback(): (req: IncomingMessage, res: ServerResponse) => void;
    interactionFinished(req: IncomingMessage, res: ServerResponse, result: object): Promise<void>;
    on(event: string, listener: (...args: never[]) => void): void;
    Grant: new (about: { clientId: string; accountId: string }) => Grant;
  }
}
