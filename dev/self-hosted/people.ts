import type { Person } from '../../self-hosted/self-hosted-billing.ts';

export interface DemoPerson extends Person {
  id: string;
  /** May manage billing. */
  owner: boolean;
}

/** Who lives on the demo server. */
export const PEOPLE: readonly DemoPerson[] = [
  { id: 'ada', uuid: 'a0000000-0000-4000-8000-000000000001', email: 'ada@selfhosted.example', full_name: 'Ada Lovelace', owner: true },
  { id: 'grace', uuid: 'a0000000-0000-4000-8000-000000000002', email: 'grace@selfhosted.example', full_name: 'Grace Hopper', owner: true },
  { id: 'hedy', uuid: 'a0000000-0000-4000-8000-000000000004', email: 'hedy@selfhosted.example', full_name: 'Hedy Lamarr', owner: true },
  { id: 'bob', uuid: 'a0000000-0000-4000-8000-000000000003', email: 'bob@selfhosted.example', full_name: 'Bob Member', owner: false },
];

export function personOf(id: string | undefined): DemoPerson | undefined {
  return PEOPLE.find((one) => one.id === id);
}
