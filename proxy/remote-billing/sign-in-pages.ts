import type { Request, Response } from 'express';
import { show, text, translateFor } from '../pages/show.ts';
import type { ConsentBox, Field } from '../trial/sign-up-form.ts';
import type { ConfirmLogin, EmailForm, Place } from './billing-bridge.ts';
import { formToken, type BillingParts } from './billing-browser.ts';
import type { Translate } from '../pages/pages.ts';

const ADDRESS_LENGTH = 254;
const NAME_LENGTH = 100;

export type Input = Readonly<Record<string, unknown>>;

/** What went wrong with what was typed: message keys by field, or one sentence above the form. */
export interface FormProblem {
  status: number;
  errors?: Readonly<Record<string, string>>;
  alert?: string;
}

export interface FormPage {
  heading: string;
  icon: string;
  paragraphs: readonly string[];
  action: string;
  hidden?: Readonly<Record<string, string>>;
  rows: readonly Field[][];
  boxes?: readonly ConsentBox[];
  submit: string;
  small?: string;
  aside?: { text: string; href: string; label: string } | undefined;
}

/** One form on a card. The form keeps its input when the language is switched. */
export function showForm(parts: BillingParts, req: Request, res: Response, page: FormPage, problem: FormProblem | undefined, tokenFree = false): void {
  const t = translateFor(parts, req);
  show(parts, req, res, {
    template: 'billing-form',
    status: problem?.status ?? 200,
    title: `${problem ? `${t('form.error_prefix')} ` : ''}${page.heading}`,
    languageSwitch: 'form',
    tokenFree,
    data: { ...page, hidden: { ...page.hidden, form_token: formToken(parts, req, res) }, boxes: page.boxes ?? [], alert: problem?.alert },
  });
}

export function fieldOf(t: Translate, problem: FormProblem | undefined, field: Pick<Field, 'name' | 'label' | 'value'> & Partial<Field>): Field {
  const error = problem?.errors?.[field.name];
  return { required: true, optional: t('form.optional'), ...field, ...(error !== undefined && { error: t(error), focus: true }) };
}

/** Step 4 for who is not known yet: which address shall get the link. */
export function showEmailForm(parts: BillingParts, req: Request, res: Response, token: string, opened: Omit<EmailForm, 'result'>, input: Input = {}, problem?: FormProblem): void {
  const t = translateFor(parts, req);
  const value = text(input['email']) ?? opened.email;
  showForm(
    parts,
    req,
    res,
    {
      heading: t('billing.email.title'),
      icon: 'mail',
      paragraphs: [t('billing.email.lead', { place: placeName(opened.place) }), ...unverified(t, opened.place)],
      action: `/remote-billing-login/${token}/confirm/`,
      rows: [[fieldOf(t, problem, { name: 'email', label: t('form.email'), value, type: 'email', autocomplete: 'email', maxLength: ADDRESS_LENGTH, hint: t('billing.email.hint') })]],
      submit: t('billing.email.submit'),
    },
    problem,
  );
}

/** Step 9: who signs in, for what, and the terms where they are asked for. */
export function showConfirmLogin(parts: BillingParts, req: Request, res: Response, token: string, opened: ConfirmLogin, input?: Input, problem?: FormProblem): void {
  const t = translateFor(parts, req);
  const { place, email, terms, replaces } = opened;
  const box = (name: string, label: string, before: boolean): ConsentBox => ({ name, label, version: 'yes', url: undefined, required: false, checked: input ? input[name] !== undefined : before });
  const termsError = problem?.errors?.['tos_consent'];
  const termsBox: ConsentBox = {
    name: 'tos_consent',
    label: t('billing.confirm.terms'),
    version: terms.version,
    url: terms.url,
    required: true,
    checked: input?.['tos_consent'] === terms.version,
    ...(termsError !== undefined && { error: t(termsError) }),
  };
  showForm(
    parts,
    req,
    res,
    {
      heading: t('billing.confirm.title'),
      icon: 'door',
      paragraphs: [
        t('billing.confirm.lead', { email, place: placeName(place) }),
        ...unverified(t, place),
        ...(replaces ? [t('billing.confirm.replaces', { email: replaces.email, place: placeName(replaces.place) })] : []),
      ],
      action: `/remote-billing-login/${token}`,
      rows: [[fieldOf(t, problem, { name: 'full_name', label: t('billing.confirm.full_name'), value: text(input?.['full_name']) ?? opened.full_name, required: false, autocomplete: 'name', maxLength: NAME_LENGTH })]],
      boxes: [
        ...(terms.must_accept ? [termsBox] : []),
        box('enable_major_release_emails', t('billing.confirm.major_mails'), opened.major_release_mails),
        box('enable_maintenance_release_emails', t('billing.confirm.maintenance_mails'), opened.maintenance_release_mails),
      ],
      submit: t('billing.confirm.submit'),
      aside: { text: t('billing.confirm.not_you'), href: `/remote-billing-login/${token}/confirm/`, label: t('billing.confirm.other') },
      small: t('billing.confirm.somebody_else'),
    },
    problem,
  );
}

export function placeName({ name, host }: Place): string {
  return name === host || name === '' ? host : `${name} (${host})`;
}

export function unverified(t: Translate, { host, host_verified: verified }: Place): string[] {
  return verified ? [] : [t('billing.unverified', { host })];
}
