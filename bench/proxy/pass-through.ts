import { Registry } from 'prom-client';
import { clientAddress, ranges } from '../../platform/client-address.ts';
import { systemClock } from '../../platform/clock.ts';
import { startServer } from '../../platform/http.ts';
import { createLog, plainLines } from '../../platform/log.ts';
import { secondsSince } from '../../platform/metrics.ts';
import { REQUEST_ID_HEADER, requestIdFrom } from '../../platform/request-id.ts';
import { pathOf, targetFault } from '../../platform/request-target.ts';
import { identityHeaders, USUAL_HEADERS } from '../../proxy/identity/identity-headers.ts';
import { CONNECTION_LIMITS, SERVER_OPTIONS } from '../../proxy/proxy.ts';
import { countRequest } from '../../proxy/metrics/count-request.ts';
import { createMeter } from '../../proxy/metrics/meter.ts';
import { createUpstream } from '../../proxy/upstream/upstream.ts';

// The way of proxy/listener.ts with nobody to ask for: the same limits, target check, counting, headers, streaming and log line, no session.
const NOBODY = { sub: '', sid: null, email: '', name: '', roles: [], groups: [], trial: null, claims: null };
const trusted = ranges.parse('');
const passed = plainLines(createLog('pass-through', 'info'), 'passed', ['request_id', 'method', 'path', 'status', 'duration_ms', 'aborted']);
const meter = createMeter(new Registry());
const upstream = createUpstream(process.env['APP_INTERNAL_URL'] ?? '');
/** As ours has it, unless told otherwise. */
const FRAME_POLICY = "frame-ancestors 'none'";
const site = { host: 'proxy.test', protocol: 'https', identityHeaders: identityHeaders(USUAL_HEADERS, systemClock) };

await startServer(
  (req, res) => {
    const started = performance.now();
    const requestId = requestIdFrom(req.headers[REQUEST_ID_HEADER]);
    countRequest(meter, req, res, false);
    if (targetFault(req.url ?? '') !== undefined) return void res.writeHead(400).end();
    const onAnswer = (): void => meter.upstream('answered', secondsSince(started));
    upstream.pass(req, res, NOBODY, { clientAddress: clientAddress(req, trusted), requestId, public: site, identityToken: undefined, framePolicy: FRAME_POLICY, onAnswer }, () => {
      const duration_ms = Math.round((performance.now() - started) * 10) / 10;
      passed([requestId, req.method, pathOf(req.url ?? ''), res.statusCode, duration_ms, !res.writableFinished]);
    });
  },
  { host: '127.0.0.1', port: Number(process.env['PORT']) },
  { limits: CONNECTION_LIMITS, options: SERVER_OPTIONS },
);
