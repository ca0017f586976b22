import type { Clock } from '../core/clock.ts';
import { Failure } from '../core/failure.ts';
import { accessReview } from './access-review.ts';
import { type CertificateFiles, followCertificate, readCertificate } from './certificate-files.ts';
import { type HttpServerOptions, type RunningHttpServer, serveHttp } from './http-server.ts';
import type { Kube } from './kube-port.ts';
import type { Log } from './log.ts';

const authentications = ['none', 'metrics', 'all'] as const;

/** How a process protects its pages. */
export type ServingSecurity = {
  readonly certificate: CertificateFiles | undefined;
  /** Which pages need a token: none, /metrics, or all of them. */
  readonly authentication: (typeof authentications)[number];
};

/** Printed by `--help` of every process that serves pages. */
export const servingUsage = `  CRYOPOD_TLS_CERTIFICATE    certificate and chain (PEM) for all pages; read again when it changes (default: plain HTTP)
  CRYOPOD_TLS_KEY            its private key (PEM)
  CRYOPOD_AUTHENTICATION     which pages need a bearer token with the right to get them: none, metrics, all (default none)
`;

/** Reads the environment; a `terminal` failure names what is wrong with it. */
export function servingSecurity(
  environment: Readonly<Record<string, string | undefined>>,
): ServingSecurity {
  const wrong = (message: string) => new Failure('terminal', 'InvalidConfig', message);
  const certificatePath = environment.CRYOPOD_TLS_CERTIFICATE || undefined;
  const keyPath = environment.CRYOPOD_TLS_KEY || undefined;
  if ((certificatePath === undefined) !== (keyPath === undefined)) {
    throw wrong('CRYOPOD_TLS_CERTIFICATE and CRYOPOD_TLS_KEY go together');
  }
  const word = environment.CRYOPOD_AUTHENTICATION || 'none';
  const authentication = authentications.find((one) => one === word);
  if (authentication === undefined) {
    throw wrong(`CRYOPOD_AUTHENTICATION is ${word}, known are ${authentications.join(', ')}`);
  }
  if (certificatePath === undefined || keyPath === undefined) {
    // Tokens would cross the network in the clear.
    if (authentication !== 'none') throw wrong('CRYOPOD_AUTHENTICATION needs a TLS certificate');
    return { certificate: undefined, authentication };
  }
  return { certificate: { certificatePath, keyPath }, authentication };
}

/** The pages of a process and where they are. */
export type Serving = {
  readonly security: ServingSecurity;
  readonly healthPort: number;
  readonly metricsPort: number;
  readonly alive: NonNullable<HttpServerOptions['alive']>;
  readonly ready: NonNullable<HttpServerOptions['ready']>;
  readonly metrics: NonNullable<HttpServerOptions['metrics']>;
};

/** Serves probes on one port and metrics on another, as safely as configured. Rejects when a port is taken or a certificate cannot be used. */
export async function servePages(
  deps: { readonly kube: Kube; readonly clock: Clock; readonly log: Log },
  serving: Serving,
): Promise<readonly RunningHttpServer[]> {
  const { security, alive, ready, metrics } = serving;
  const { authentication, certificate: files } = security;
  const certificate = files === undefined ? undefined : await readCertificate(files);
  const guard = authentication === 'none' ? undefined : accessReview(deps);
  const common = { host: '', certificate };
  const health = await serveHttp({
    ...{ ...common, port: serving.healthPort, alive, ready },
    guard: authentication === 'all' ? guard : undefined,
  });
  const numbers = await serveHttp({ ...common, port: serving.metricsPort, metrics, guard });
  if (files === undefined || certificate === undefined) return [health, numbers];
  const stop = followCertificate(deps, files, certificate, (next) => {
    health.useCertificate(next);
    numbers.useCertificate(next);
  });
  const close = async (): Promise<void> => {
    stop();
    await numbers.close();
  };
  return [health, { ...numbers, close }];
}
