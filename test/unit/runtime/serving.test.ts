import { describe, expect, it } from 'vitest';
import { servingSecurity, servingUsage } from '../../../runtime/serving.ts';

const files = { CRYOPOD_TLS_CERTIFICATE: '/tls/tls.crt', CRYOPOD_TLS_KEY: '/tls/tls.key' };

describe('how pages are protected', () => {
  it('is not at all by default', () => {
    expect(servingSecurity({ CRYOPOD_TLS_KEY: '', CRYOPOD_AUTHENTICATION: '' })).toEqual({
      ...{ certificate: undefined, authentication: 'none' },
    });
  });

  it('is by TLS, with or without tokens', () => {
    const certificate = { certificatePath: '/tls/tls.crt', keyPath: '/tls/tls.key' };
    expect(servingSecurity(files)).toEqual({ certificate, authentication: 'none' });
    for (const authentication of ['metrics', 'all']) {
      const environment = { ...files, CRYOPOD_AUTHENTICATION: authentication };
      expect(servingSecurity(environment)).toEqual({ certificate, authentication });
    }
  });

  it.each([
    [{ CRYOPOD_TLS_KEY: '/tls/tls.key' }, 'go together'],
    [{ CRYOPOD_TLS_CERTIFICATE: '/tls/tls.crt' }, 'go together'],
    [{ CRYOPOD_AUTHENTICATION: 'metrics' }, 'needs a TLS certificate'],
    [{ ...files, CRYOPOD_AUTHENTICATION: 'some' }, 'CRYOPOD_AUTHENTICATION is some'],
  ])('is never guessed: %o is refused in a sentence', (environment, sentence) => {
    expect(() => servingSecurity(environment)).toThrow(sentence);
  });

  it('is explained by --help', () => {
    for (const name of Object.keys(files)) expect(servingUsage).toContain(name);
    expect(servingUsage).toContain('CRYOPOD_AUTHENTICATION');
  });
});
