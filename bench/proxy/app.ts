import { createServer } from 'node:http';

// What stands behind every contender: 1 KiB, and nothing to think about.
const BODY = Buffer.alloc(1024, 'x');

// Longer than anybody rests between two rounds: a connection that closes just as it is used again is an error to some peers.
createServer({ keepAliveTimeout: 600_000 }, (_req, res) => {
  res.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': String(BODY.length) }).end(BODY);
}).listen(Number(process.env['PORT']), '127.0.0.1');
