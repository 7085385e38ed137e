// A real OpenID provider for the tests: node-oidc-provider with its development login, on loopback.
// Reads its configuration from the file named first; SIGHUP makes it read it again (keys, accounts, lifetimes) without a restart.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [configurationFile, modules] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${modules}/`));
const { default: Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));

const read = () => JSON.parse(readFileSync(configurationFile, 'utf8'));
let configuration = read();
let provider;
const requests = {};

const server = createServer((request, response) => {
  const path = new URL(request.url, 'http://localhost').pathname;
  if (path === '/test/requests') {
    response.end(JSON.stringify(requests));
    return;
  }
  requests[path] = (requests[path] ?? 0) + 1;
  if (configuration.isDown) {
    response.statusCode = 503;
    response.end();
    return;
  }
  provider.callback()(request, response);
});

function build(issuer) {
  const { audience, keys, accounts, clients, seconds = 600, alg = 'RS256' } = configuration;
  const claimsOf = (id) => ({ sub: id, ...accounts[id] });
  return new Provider(issuer, {
    clients,
    jwks: { keys },
    cookies: { keys: ['only for tests'] },
    pkce: { required: () => true },
    ttl: { AccessToken: seconds, ClientCredentials: seconds, RefreshToken: 3600, Session: 3600, Grant: 3600, Interaction: 600, IdToken: 600 },
    findAccount: (ctx, id) => ({ accountId: id, claims: () => claimsOf(id) }),
    rotateRefreshToken: true,
    issueRefreshToken: async (ctx, client, code) => client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
    extraTokenClaims: async (ctx, token) => {
      const { sub, ...claims } = claimsOf(token.accountId ?? token.clientId);
      return claims;
    },
    features: {
      devInteractions: { enabled: true },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({ scope: 'mesh', audience, accessTokenFormat: 'jwt', accessTokenTTL: seconds, jwt: { sign: { alg } } }),
      },
    },
  });
}

server.listen(configuration.port ?? 0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  provider = build(issuer);
  process.on('SIGHUP', () => {
    configuration = read();
    provider = build(issuer);
    console.log(JSON.stringify({ reloaded: true }));
  });
  console.log(JSON.stringify({ issuer }));
});
