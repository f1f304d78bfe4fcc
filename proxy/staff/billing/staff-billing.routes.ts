import type { RequestHandler } from 'express';
import { translateFor } from '../../pages/show.ts';
import { forStaff, type StaffParts } from '../staff-gate.ts';
import { showStaff } from '../staff-pages.ts';

export function staffBillingRoutes(parts: StaffParts): Record<'searchPage' | 'search', RequestHandler> {
  const page = forStaff(parts, (req, res, staff) => showStaff(parts, req, res, staff, { section: 'billing', template: 'staff-billing', title: translateFor(parts, req)('staff.section.billing') }));
  return { searchPage: page, search: page };
}
