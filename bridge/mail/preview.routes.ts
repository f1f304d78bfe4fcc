import { Router } from 'express';
import { AppError } from '../../platform/problem.ts';
import { findProduct, type Products } from '../../platform/products.ts';
import { BILLING_MAIL_KINDS } from '../db/remote-billing.schema.ts';
import { MAIL_KINDS } from '../db/schema.ts';
import { landingOf, type LinksIn } from './links.ts';
import { mailLocales, type MailSender, type RenderMail } from './render.ts';

const BILLING = 'remote-billing';
const EXAMPLE_DETAILS = { linkUrl: 'https://billing.example.com/a-link', supportUrl: 'mailto:support@example.com', number: '7', total: '€42.00', net: '€35.00', tax: '€7.00', tax_percent: '20', issued: 'November 21, 2026 (UTC)', due: 'December 21, 2026 (UTC)', seller: 'Vestibule Ltd.\n1 Example Street', buyer: 'Analytical Society\n1 St James Square', lines: JSON.stringify([{ kind: 'period', plan: 'Basic', seats: '10', from: 'November 21, 2026 (UTC)', to: 'December 21, 2026 (UTC)', net: '€35.00' }]), plan: 'Basic', date: 'December 21, 2026 UTC' };
const EXAMPLE_LIFETIME_MILLISECONDS = 7 * 86_400_000;
const EXAMPLE_TOKEN = 'an-example-of-a-token';

/** Development only: every mail in every language, as people get it. */
export function mailPreviewRoutes(products: Products, render: RenderMail, links: LinksIn, billing: MailSender | undefined): Router {
  const router = Router();
  router.get('/dev/mails', (_req, res) => {
    const kinds = [...products.flatMap(({ id }) => MAIL_KINDS.map((kind) => [id, kind])), ...(billing === undefined ? [] : BILLING_MAIL_KINDS.map((kind) => [BILLING, kind]))];
    const items = kinds.flatMap(([id, kind]) =>
      mailLocales().map((locale) => {
        const at = `/dev/mails/${id}/${kind}/${locale}`;
        return `<li>${id} ${kind} ${locale}: <a href="${at}">HTML</a> <a href="${at}?part=text">text</a></li>`;
      }),
    );
    res.send(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Mails</title><h1>Mails</h1><ul>${items.join('')}</ul></html>`);
  });
  router.get('/dev/mails/:product/:kind/:locale', (req, res) => {
    const ofBilling = req.params.product === BILLING;
    const product = findProduct(products, req.params.product);
    const sender = ofBilling ? billing : product;
    const kind = [...(ofBilling ? BILLING_MAIL_KINDS : MAIL_KINDS)].find((one) => one === req.params.kind);
    if (sender === undefined || kind === undefined || !mailLocales().includes(req.params.locale)) {
      throw new AppError('not_found', 'See /dev/mails for the list.');
    }
    const landing = product && landingOf(products, product, null);
    const { invitation, join, notMe } = links(req.params.locale, landing);
    const mail = render(sender, req.params.locale, kind, {
      address: 'ada@example.com',
      signUpUrl: kind === 'invitation' ? invitation(EXAMPLE_TOKEN) : '',
      joinUrl: kind === 'welcome_back' ? join(EXAMPLE_TOKEN) : undefined,
      expiresAt: new Date(Date.now() + EXAMPLE_LIFETIME_MILLISECONDS),
      notMeUrl: notMe(EXAMPLE_TOKEN),
      landing,
      ...(ofBilling ? { details: EXAMPLE_DETAILS } : {}),
    });
    if (req.query['part'] === 'text') res.type('text/plain').send(`Subject: ${mail.subject}\nFrom: ${mail.from}\n\n${mail.text}`);
    else res.type('html').send(mail.html);
  });
  return router;
}
