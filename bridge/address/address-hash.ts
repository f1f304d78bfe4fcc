import { createHmac } from 'node:crypto';
import type { Secret } from '../../platform/secret.ts';
import { mailboxOf } from './address.ts';

/** Keyed, so that a stolen table can't be searched with a list of known addresses. */
export interface AddressHash {
  address(address: string): Buffer;
  mailbox(address: string): Buffer;
  client(address: string): string;
}

export function addressHash(key: Secret): AddressHash {
  const keyBytes = Buffer.from(key.reveal(), 'base64');
  const hash = (purpose: string, value: string) => createHmac('sha256', keyBytes).update(`${purpose}\0${value}`).digest();
  return {
    address: (address) => hash('address', address),
    mailbox: (address) => hash('mailbox', mailboxOf(address)),
    client: (address) => hash('client', address).toString('base64url'),
  };
}
