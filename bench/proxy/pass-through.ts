import { Registry } from 'prom-client';
import { clientAddress, ranges } from '../../platform/client-address.ts';
import { systemClock } from '../../platform/clock.ts';
import { startServer } from '../../platform/http.ts';
import { createLog, withoutRedaction } from '../../platform/log.ts';
import { secondsSince } from '../../platform/metrics.ts';
import { REQUEST_ID_HEADER, requestIdFrom } from '../../platform/request-id.ts';
import { pathOf, targetFault } from '../../platform/request-target.ts';
import { identityHeaders, USUAL_HEADERS } from '../../proxy/identity/identity-headers.ts';
import { SERVER_OPTIONS } from '../../proxy/proxy.ts';
import { countRequest } from '../../proxy/metrics/count-request.ts';
import { createMeter } from '../../proxy/metrics/meter.ts';
import { createUpstream } from '../../proxy/upstream/upstream.ts';

// The way of proxy/listener.ts with nobody to ask for: the same target check, counting, headers, streaming and log line, no session.
const NOBODY = { sub: '', sid: null, email: '', name: '', roles: [], groups: [], trial: null, claims: null };
const trusted = ranges.parse('');
const log = withoutRedaction(createLog('pass-through', 'info'));
const meter = createMeter(new Registry());
const upstream = createUpstream(process.env['APP_INTERNAL_URL'] ?? '');
const site = { host: 'proxy.test', protocol: 'https', identityHeaders: identityHeaders(USUAL_HEADERS, systemClock) };

await startServer(
  (req, res) => {
    const started = performance.now();
    const requestId = requestIdFrom(req.headers[REQUEST_ID_HEADER]);
    countRequest(meter, req, res);
    if (targetFault(req.url ?? '') !== undefined) return void res.writeHead(400).end();
    const onAnswer = (): void => meter.upstream('answered', secondsSince(started));
    const pass = async (): Promise<void> => {
      await upstream.pass(req, res, NOBODY, { clientAddress: clientAddress(req, trusted), requestId, public: site, identityToken: undefined, onAnswer });
      const duration_ms = Math.round((performance.now() - started) * 10) / 10;
      log.info({ request_id: requestId, method: req.method, path: pathOf(req.url ?? ''), status: res.statusCode, duration_ms, aborted: !res.writableFinished }, 'passed');
    };
    void pass();
  },
  { host: '127.0.0.1', port: Number(process.env['PORT']) },
  { options: SERVER_OPTIONS },
);
