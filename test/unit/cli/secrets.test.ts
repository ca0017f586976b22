import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maskedArguments, maskedText, maskedValue } from '../../../cli/inspection/secrets.ts';

describe('secrets', () => {
  it.each([
    'GITHUB_TOKEN',
    'AWS_SECRET_ACCESS_KEY',
    'DB_PASSWORD',
    'PGPASS',
    'apiKey',
    'SESSION_COOKIE',
    'MYSQL_PWD',
    'AZURE_CREDENTIALS',
    'SENTRY_DSN',
  ])('are what a variable named %s holds', async (name) => {
    const property = fc.property(
      fc.string({ minLength: 1 }),
      (value) => maskedValue(name, value) === '***',
    );
    await fc.assert(property);
  });

  it('are masked in URLs, and by their own form, wherever they stand', () => {
    expect(maskedValue('PROXY', 'http://me:pw@proxy:3128/x')).toBe('http://***@proxy:3128/x');
    expect(maskedValue('CURL', '-H "Authorization: Bearer abc.def"')).toBe(
      '-H "Authorization: Bearer ***"',
    );
    expect(maskedText('ghp_0123456789abcdef and hf_abcdefghijk')).toBe('*** and ***');
    expect(maskedText('eyJhbGciOiJI.eyJzdWIi.sig')).toBe('***');
    expect(maskedText('https://host/?api_key=1&page=2')).toBe('https://host/?api_key=***&page=2');
    expect(maskedText('-----BEGIN RSA PRIVATE KEY-----\nabc')).toBe('***');
  });

  it('are not directories, paths and plain words', () => {
    expect(maskedValue('PWD', '/root')).toBe('/root');
    expect(maskedValue('PATH', '/usr/bin:/bin')).toBe('/usr/bin:/bin');
    expect(maskedValue('HOME', '/home/key')).toBe('/home/key');
    expect(maskedValue('EMPTY_TOKEN', '')).toBe('');
    expect(maskedArguments(['server', '--port', '80'])).toEqual(['server', '--port', '80']);
  });

  it('are masked in arguments: after an option, behind its =, and as an assignment', () => {
    expect(
      maskedArguments(['run', '--password', 'pw', '--token=abc', 'API_KEY=x', '--auth', '--debug']),
    ).toEqual(['run', '--password', '***', '--token=***', 'API_KEY=***', '--auth', '--debug']);
    expect(maskedArguments(['--password', '-odd'])).toEqual(['--password', '***']);
  });

  it.each(['a', 'a.', 'key', 'token.', 'eyJ-', 'eyJaaaaaaaaa.', 'a://b', 'bearer ', '-----BEGIN '])(
    'are looked for in a megabyte of %j without getting slow',
    (piece) => {
      const text = piece.repeat(2 ** 20 / piece.length);
      expect(maskedText(text).length).toBeGreaterThan(0);
    },
  );
});
