import type { Request, Response } from 'express';
import { show, translateFor, type Page } from '../pages/show.ts';
import type { Staff, StaffParts } from './staff-gate.ts';

/** What stands in the navigation, in its order; the first is where `/staff/` leads. The message is `staff.section.<name>`. */
export const SECTIONS = { billing: '/staff/billing/', trials: '/staff/trials/' } as const;
export type Section = keyof typeof SECTIONS;

export interface StaffPage extends Pick<Page, 'template' | 'title' | 'status' | 'data' | 'languagePath'> {
  section: Section;
  /** Something was done. */
  note?: string | undefined;
  /** Something was not. */
  alert?: string | undefined;
}

/** A page in the frame of the staff pages; its template begins with `layout('./staff-layout')`, its forms with `staff-hidden`. */
export function showStaff(parts: StaffParts, req: Request, res: Response, staff: Staff, { section, note, alert, data, ...page }: StaffPage): void {
  const t = translateFor(parts, req);
  show(parts, req, res, {
    ...page,
    title: alert === undefined ? page.title : `${t('form.error_prefix')} ${page.title}`,
    tokenFree: true,
    // What a form was answered with has no address of its own to come back to in another language.
    languageSwitch: req.method === 'POST' ? 'none' : 'link',
    data: {
      ...data,
      heading: page.title,
      note,
      alert,
      formToken: staff.formToken,
      person: t('staff.person', { name: staff.name, email: staff.email }),
      sections: Object.entries(SECTIONS).map(([name, href]) => ({ href, label: t(`staff.section.${name}`), here: name === section })),
    },
  });
}
