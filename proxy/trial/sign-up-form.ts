import { wordingIn, type Product } from '../../platform/products.ts';
import type { SignUp } from '../bridge/bridge.ts';
import { text } from '../pages/show.ts';
import type { Translate } from '../pages/pages.ts';

export interface Field {
  name: string;
  label: string;
  value: string;
  required: boolean;
  optional: string;
  type?: string;
  autocomplete?: string;
  maxLength?: number;
  hint?: string;
  error?: string;
  focus?: boolean;
}

export interface ConsentBox {
  name: string;
  label: string;
  version: string;
  url: string | undefined;
  required: boolean;
  checked: boolean;
  error?: string;
}

/** `again`: a new link needs the address and what the product can't do without. */
export type Extent = 'all' | 'again';
/** Message keys by field name. */
export type FieldErrors = Readonly<Record<string, string>>;
export type Input = Readonly<Record<string, unknown>>;

const ADDRESS_LENGTH = 254;
const NAME_LENGTH = 100;

/** The bridge's field, and the key of its errors. */
export const CAPTCHA = 'captcha';
const OWN_FIELDS: readonly string[] = ['firstname', 'lastname', 'company'];
/** The bridge's names for what the form calls otherwise. */
const FORM_NAMES: Readonly<Record<string, string>> = { username: 'email' };

/** In which words the form asks. */
export interface Speech {
  language: string;
  t: Translate;
}

export function fieldRows(product: Product, { language, t }: Speech, input: Input, errors: FieldErrors, extent: Extent): Field[][] {
  const optional = t('form.optional');
  const firstWrong = Object.keys(errors)[0];
  const field = (name: string, label: string, more: Partial<Field> = {}): Field => {
    const error = errors[name];
    return {
      name,
      label,
      optional,
      required: false,
      value: text(input[name]) ?? '',
      ...more,
      ...(error !== undefined && { error: t(error), focus: name === firstWrong }),
    };
  };
  const address = field('email', t('form.email'), { type: 'email', required: true, autocomplete: 'email', maxLength: ADDRESS_LENGTH, hint: t('form.email_hint') });
  const attributes = asked(product.attributes, extent).map(({ id, label, required, max_length }) => [field(`attributes.${id}`, wordingIn(label, language, product), { required, maxLength: max_length })]);
  if (extent === 'again') return [[address], ...attributes];
  return [
    [address],
    [
      field('firstname', t('form.firstname'), { autocomplete: 'given-name', maxLength: NAME_LENGTH }),
      field('lastname', t('form.lastname'), { autocomplete: 'family-name', maxLength: NAME_LENGTH }),
    ],
    [field('company', t('form.company'), { autocomplete: 'organization', maxLength: NAME_LENGTH })],
    ...attributes,
  ];
}

/** Ticked again only where that very version was ticked: nobody agrees to what they were not shown. */
export function consentBoxes(product: Product, { language, t }: Speech, input: Input, errors: FieldErrors, extent: Extent): ConsentBox[] {
  return asked(product.consents, extent).map(({ id, label, version, url, required }) => {
    const name = `consents.${id}`;
    const error = errors[name];
    return { name, label: wordingIn(label, language, product), version, url, required, checked: input[name] === version, ...(error !== undefined && { error: t(error) }) };
  });
}

/** What is missing, the captcha's answer included where a field for it is named; whether an address can be written to is for the bridge to judge. */
export function missing(product: Product, input: Input, captchaField?: string): FieldErrors {
  const empty = (name: string): boolean => (text(input[name]) ?? '').trim() === '';
  const errors: Record<string, string> = {};
  if (empty('email')) errors['email'] = 'form.missing_email';
  for (const { id, required } of product.attributes) if (required && empty(`attributes.${id}`)) errors[`attributes.${id}`] = 'form.missing_value';
  for (const { id, version, required } of product.consents) {
    if (required && empty(`consents.${id}`)) errors[`consents.${id}`] = 'form.missing_consent';
    else if (!empty(`consents.${id}`) && input[`consents.${id}`] !== version) errors[`consents.${id}`] = 'form.changed_consent';
  }
  if (captchaField !== undefined && empty(captchaField)) errors[CAPTCHA] = 'form.missing_captcha';
  return errors;
}

/** The bridge's refusal on the form's field; `undefined` where no field of this form is meant. */
export function refusedField(product: Product, extent: Extent, field: string | undefined): FieldErrors | undefined {
  const name = FORM_NAMES[field ?? ''] ?? field ?? '';
  if (name === 'email') return { email: 'form.bad_email' };
  if (name === CAPTCHA) return { [CAPTCHA]: 'form.refused_captcha' };
  if (asked(product.consents, extent).some(({ id }) => name === `consents.${id}`)) return { [name]: 'form.changed_consent' };
  const texts = [...(extent === 'again' ? [] : OWN_FIELDS), ...asked(product.attributes, extent).map(({ id }) => `attributes.${id}`)];
  return texts.includes(name) ? { [name]: 'form.bad_value' } : undefined;
}

export function signUpFrom(product: Product, input: Input, extent: Extent, language: string, nextPage: string | undefined): SignUp {
  const value = (name: string): string => (text(input[name]) ?? '').trim();
  const attributes = asked(product.attributes, extent).flatMap(({ id }) => (value(`attributes.${id}`) === '' ? [] : [[id, value(`attributes.${id}`)] as [string, string]]));
  const consents = asked(product.consents, extent).flatMap(({ id }) => (value(`consents.${id}`) === '' ? [] : [{ id, version: value(`consents.${id}`) }]));
  const names = (extent === 'again' ? [] : OWN_FIELDS).flatMap((name) => (value(name) === '' ? [] : [[name, value(name)] as [string, string]]));
  return {
    username: value('email'),
    product: product.id,
    locale: language,
    ...Object.fromEntries(names),
    ...(nextPage !== undefined && { next_page: nextPage }),
    ...(attributes.length > 0 && { attributes: Object.fromEntries(attributes) }),
    ...(consents.length > 0 && { consents }),
  };
}

function asked<T extends { required: boolean }>(items: readonly T[], extent: Extent): readonly T[] {
  return extent === 'all' ? items : items.filter(({ required }) => required);
}
