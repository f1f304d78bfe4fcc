import type { RequestHandler } from 'express';
import { AppError } from '../../platform/problem.ts';
import type { Pages } from './pages.ts';

/** `?v=` is the content's hash: such an answer may be kept for ever. */
export function assetRoute({ assets }: Pick<Pages, 'assets'>): RequestHandler {
  return (req, res) => {
    const asset = assets.get(String(req.params['file']));
    if (!asset) throw new AppError('not_found', 'Check the address.');
    const exact = req.query['v'] === asset.version;
    res.set('Cache-Control', exact ? 'public, max-age=31536000, immutable' : 'public, max-age=300');
    res.type(asset.type).send(asset.body);
  };
}
