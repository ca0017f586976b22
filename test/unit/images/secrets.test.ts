import { describe, expect, it } from 'vitest';
import { aptSources, npmSettings } from '../../bed/images/secrets.ts';

describe('npm settings for a build', () => {
  it('keep registries, tokens and proxies, and drop paths of the machine', () => {
    const npmrc = [
      'cafile=/etc/ssl/ca.pem',
      'registry=https://npm.example/',
      '; a comment',
      '@scope:registry = https://scope.example/',
      '//npm.example/:_authToken=abc',
      'https-proxy=http://proxy.example:3128',
      'prefix=/opt/npm',
    ].join('\n');
    expect(npmSettings(npmrc).split('\n')).toEqual([
      'registry=https://npm.example/',
      '@scope:registry = https://scope.example/',
      '//npm.example/:_authToken=abc',
      'https-proxy=http://proxy.example:3128',
      '',
    ]);
  });
});

describe('apt sources for a build', () => {
  it('are the machine’s mirror with the suite of the images', () => {
    const sources = [
      'Types: deb\nURIs: http://mirror.example/debian/\nSuites: bookworm bookworm-updates\n',
      'Types: deb\nURIs: http://mirror.example/debian-security\nSuites: bookworm-security\n',
    ];
    expect(aptSources(sources).split('\n')).toEqual([
      'deb http://mirror.example/debian trixie main',
      'deb http://mirror.example/debian trixie-updates main',
      'deb http://mirror.example/debian-security trixie-security main',
      '',
    ]);
  });

  it('understand one-line sources and ignore comments and other distributions', () => {
    const sources = [
      '# deb http://old.example/debian bookworm main\ndeb [arch=amd64] https://mirror.example/debian bookworm main\n',
    ];
    expect(aptSources(sources)).toContain('deb https://mirror.example/debian trixie main\n');
    expect(aptSources(['deb http://mirror.example/ubuntu noble main\n'])).toBe('');
  });
});
