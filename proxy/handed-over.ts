import type { RequestHandler } from 'express';
import { AppError } from '../platform/problem.ts';
import { takeHandedOver } from './listener.ts';
import { askToSignIn } from './pages/ask-to-sign-in.ts';
import { showPreparing, type PreparingParts } from './trial/preparing.ts';

/** Answers what the listener did not let through. */
export function answerHandedOver(showing: PreparingParts, publicUrl: string): RequestHandler {
  return (req, res, next) => {
    const handed = takeHandedOver(req);
    switch (handed?.kind) {
      case undefined:
        return next();
      case 'error':
        throw handed.error;
      case 'bad_target':
        res.locals['badTarget'] = true;
        throw new AppError('invalid_request', `This address is refused: ${handed.fault}.`);
      case 'preparing':
        return showPreparing(showing, req, res, handed.since);
      case 'sign_in':
        return askToSignIn(showing, publicUrl, req, res);
    }
  };
}
