// Computes the signatures of the tokens of claims.json with the npm package "macaroon".
// It shares no code with Postern: the identifier and the caveats are written here once more, from
// the description in the package documentation of tokens.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

// From the working directory, where npm has put it, not from beside this file.
const { newMacaroon } = createRequire(path.join(process.cwd(), 'x.js'))('macaroon');

function uvarint(text) {
  const bytes = [];
  let n = BigInt(text);
  for (; n >= 0x80n; n >>= 7n) bytes.push(Number(n & 0x7fn) | 0x80);
  bytes.push(Number(n));
  return bytes;
}

function mint(c) {
  const session = [...Buffer.from(c.session, 'hex')];
  const identifier = Uint8Array.from([
    1, ...uvarint(c.keyId), ...uvarint(session.length), ...session, ...uvarint(c.generation),
  ]);
  const m = newMacaroon({
    version: 2, location: c.location, rootKey: new Uint8Array(Buffer.from(c.key, 'hex')), identifier,
  });
  m.addFirstPartyCaveat('gen = 1');
  m.addFirstPartyCaveat(`user_id = ${c.userId}`);
  m.addFirstPartyCaveat(`type = ${c.type}`);
  if (c.expires !== null) m.addFirstPartyCaveat(`time < ${c.expires}`);
  c.appended.forEach((caveat) => m.addFirstPartyCaveat(caveat));
  // No token: exportBinary of version 3.0.4 doubles its buffer with each field that it appends, and
  // fails on a macaroon with as many caveats as ours.
  return { name: c.name, signature: Buffer.from(m.signature).toString('hex') };
}

const claims = JSON.parse(readFileSync(process.argv[2], 'utf8'));
console.log(JSON.stringify(claims.map(mint), null, 2));
